// Loaded before Medusa: `medusa start` ignores its --host and listens on every interface, and a test must not do that.
const { Server } = require("node:net");

const { listen } = Server.prototype;

Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port, host: "127.0.0.1" }, ...rest);
};
