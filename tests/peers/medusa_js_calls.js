// {base_url, apiKey, calls: [{call: "users.retrieve", args: [...]}]} -> [outcome of each], one call after the other.
// Methods of the published medusa-js's `admin`, by name; without an apiKey the credential is a header among `args`.
"use strict";

const outcome = require("./outcome");
const { default: Medusa } = require("@medusajs/medusa-js");

require("./program")(async ({ base_url: baseUrl, apiKey, calls }) => {
  const { admin } = new Medusa({ baseUrl, maxRetries: 0, apiKey });
  const outcomes = [];
  for (const { call, args = [] } of calls) {
    const [resource, method] = call.split(".");
    outcomes.push(await outcome(admin[resource][method](...args)));
  }
  return outcomes;
});
