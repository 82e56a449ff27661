// {bodies: [JSON text]} -> [null when valid, else the message], as Medusa's validator() says it of a POST to /admin/auth.
// Where the validation itself breaks, which Medusa answers with 500, it is {thrown}.
"use strict";

require("reflect-metadata");
const { plainToInstance } = require("class-transformer");
const { IsEmail, IsNotEmpty, IsString, validate } = require("class-validator");

class AdminPostAuthReq {}

// TypeScript applies decorators from the last to the first, and the order of the messages comes from that.
const decorate = (property, decorators) => {
  const all = [...decorators, Reflect.metadata("design:type", String)];
  all.reverse().forEach((decorator) => decorator(AdminPostAuthReq.prototype, property));
};
decorate("email", [IsEmail(), IsNotEmpty()]);
decorate("password", [IsString(), IsNotEmpty()]);

const messages = (errors) =>
  errors.flatMap(({ constraints, children }) => [...Object.values(constraints ?? {}), ...messages(children ?? [])]);

const message = async (body) => {
  try {
    const instance = plainToInstance(AdminPostAuthReq, JSON.parse(body));
    const errors = await validate(instance, { whitelist: true, forbidNonWhitelisted: true });
    return errors.length ? messages(errors).join(", ") : null;
  } catch (error) {
    return { thrown: String(error) };
  }
};

require("./program")(({ bodies }) => Promise.all(bodies.map(message)));
