// {hash: [{password, params: {logN, r, p}}], verify: [{password, hash_base64}]} -> {hash: [base64], verify: [boolean]}
"use strict";

const scrypt = require("scrypt-kdf");

require("./program")(async ({ hash = [], verify = [] }) => ({
  hash: await Promise.all(
    hash.map(async ({ password, params }) => (await scrypt.kdf(password, params)).toString("base64")),
  ),
  verify: await Promise.all(
    verify.map(({ password, hash_base64 }) => scrypt.verify(Buffer.from(hash_base64, "base64"), password)),
  ),
}));
