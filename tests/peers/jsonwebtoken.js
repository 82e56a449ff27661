// {sign: [{claims, secret, options}], verify: [{token, secret}]} -> {sign: [token], verify: [{claims} or {error, message}]}
// Tokens are verified with the options that passport-jwt gives when Medusa makes its strategy with a secret alone.
"use strict";

const jwt = require("jsonwebtoken");

const OPTIONS = { audience: undefined, issuer: undefined, algorithms: undefined, ignoreExpiration: false };

const verified = ({ token, secret }) => {
  try {
    return { claims: jwt.verify(token, secret, OPTIONS) };
  } catch ({ name, message }) {
    return { error: name, message };
  }
};

require("./program")(({ sign = [], verify = [] }) => ({
  sign: sign.map(({ claims, secret, options = {} }) => jwt.sign(claims, secret, { algorithm: "HS256", ...options })),
  verify: verify.map(verified),
}));
