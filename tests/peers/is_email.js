// {addresses: [anything]} -> [boolean], as class-validator's IsEmail() decides it: validator's isEmail without options.
"use strict";

const { isEmail } = require("class-validator");

require("./program")(({ addresses }) => addresses.map((address) => isEmail(address)));
