// {cookie_secret, sign: [sid], read: [Cookie header], issue: N} -> {sign: [value], read: [sid or null], issue: [{sid, value, set_cookie}]}
// A real express app with a real express-session, with the options and the order of middleware of Medusa's loader.
//   sign   the value of the cookie that the app gives to a session of this id
//   read   the id that the app asks its store for on this Cookie header; null when it does not ask
//   issue  fresh cookies as they come out of real requests
"use strict";

const http = require("node:http");
const cookieParser = require("cookie-parser");
const express = require("express");
const session = require("express-session");

const NAME = "connect.sid";

class RecordingStore extends session.MemoryStore {
  asked = null;

  get(sid, callback) {
    this.asked = sid;
    super.get(sid, callback);
  }
}

const makeApp = (secret, extra) => {
  const store = new RecordingStore();
  const app = express();
  app.set("trust proxy", 1);
  app.use(cookieParser());
  app.use(
    session({
      name: NAME,
      resave: true,
      rolling: false,
      saveUninitialized: true,
      proxy: true,
      secret,
      cookie: { sameSite: false, secure: false, maxAge: 10 * 60 * 60 * 1000 },
      store,
      ...extra,
    }),
  );
  app.get("/", (req, res) => res.json(req.sessionID));
  return { app, store };
};

const listening = (app) =>
  new Promise((resolve) => {
    const server = app.listen(0, "127.0.0.1", () => resolve(server));
  });

const request = (server, headers = {}) =>
  new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: server.address().port, headers, agent: false };
    http
      .get(options, (res) => {
        let body = "";
        res.setEncoding("utf8");
        res.on("data", (chunk) => (body += chunk));
        res.on("end", () => resolve({ body, headers: res.headers }));
      })
      .on("error", reject);
  });

const issued = async (server) => {
  const { body, headers } = await request(server);
  const [set_cookie] = headers["set-cookie"];
  const value = set_cookie.slice(NAME.length + 1).split(";")[0];
  return { sid: JSON.parse(body), value, set_cookie };
};

const withApp = async (secret, extra, use) => {
  const { app, store } = makeApp(secret, extra);
  const server = await listening(app);
  try {
    return await use(server, store);
  } finally {
    server.close();
  }
};

const inTurn = async (items, use) => {
  const results = [];
  for (const item of items) results.push(await use(item));
  return results;
};

require("./program")(async ({ cookie_secret, sign = [], read = [], issue = 0 }) => {
  const left = [...sign];
  const signed = await withApp(cookie_secret, { genid: () => left.shift() }, (server) =>
    inTurn(sign, async () => (await issued(server)).value),
  );
  return withApp(cookie_secret, {}, async (server, store) => ({
    sign: signed,
    read: await inTurn(read, async (header) => {
      store.asked = null;
      await request(server, { Cookie: header });
      return store.asked;
    }),
    issue: await inTurn(Array(issue).fill(null), () => issued(server)),
  }));
});
