// What every script here is: one JSON value from stdin, one JSON value to stdout. A throw ends with status 1.
"use strict";

const fs = require("node:fs");

module.exports = async (answer) => {
  try {
    const input = JSON.parse(fs.readFileSync(0, "utf8"));
    process.stdout.write(JSON.stringify(await answer(input)) + "\n");
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  }
};
