// {base_url, email, password, window, maxRetries, apiKey} -> {step: {ok, status, data, setCookie, error}}
// The published medusa-js against a server, one step after the other. With `window` it believes that it is in a browser:
// only then does it keep the access token of getToken, for all clients of the process.
"use strict";

const outcome = require("./outcome");
const program = require("./program");

const cookieOf = ({ setCookie }) => (setCookie ? { Cookie: setCookie[0].split(";")[0] } : {});

program(async ({ base_url: baseUrl, email, password, window: inBrowser = false, maxRetries = 0, apiKey }) => {
  // medusa-js looks for it each time, and axios when it is loaded.
  if (inBrowser) globalThis.window = {};
  const { default: Medusa } = require("@medusajs/medusa-js");
  const { auth } = new Medusa({ baseUrl, maxRetries }).admin;

  const steps = {};
  steps.createSession = await outcome(auth.createSession({ email, password }));
  const cookie = cookieOf(steps.createSession);
  steps.getSessionWithoutCookie = await outcome(auth.getSession());
  steps.getSessionWithCookie = await outcome(auth.getSession(cookie));
  steps.getToken = await outcome(auth.getToken({ email, password }));
  steps.getSessionAfterToken = await outcome(auth.getSession());
  steps.deleteSession = await outcome(auth.deleteSession(cookie));
  steps.getSessionWithDeadCookie = await outcome(auth.getSession(cookie));
  steps.createSessionWrongPassword = await outcome(auth.createSession({ email, password: `${password}-not` }));
  steps.createSessionEmpty = await outcome(auth.createSession({}));
  if (apiKey) {
    const withKey = new Medusa({ baseUrl, maxRetries, apiKey });
    steps.getSessionWithApiKey = await outcome(withKey.admin.auth.getSession());
  }
  return steps;
});
