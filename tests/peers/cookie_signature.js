// {sign: [{value, secret}], unsign: [{value, secret}]} -> {sign: [signed], unsign: [value, or false when not well signed]}
"use strict";

const signature = require("cookie-signature");

require("./program")(({ sign = [], unsign = [] }) => ({
  sign: sign.map(({ value, secret }) => signature.sign(value, secret)),
  unsign: unsign.map(({ value, secret }) => signature.unsign(value, secret)),
}));
