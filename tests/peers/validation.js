// {request, bodies: [JSON text]} -> [null when valid, else the message], as Medusa's validator() says it of that body.
// `request` is the name of Medusa's class; a POST to /admin/auth where it is left out.
// Where the validation itself breaks, which Medusa answers with 500, it is {thrown}.
"use strict";

require("reflect-metadata");
const { plainToInstance, Type } = require("class-transformer");
const {
  IsEmail,
  IsEnum,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  validate,
  ValidateNested,
} = require("class-validator");

const UserRoles = { ADMIN: "admin", MEMBER: "member", DEVELOPER: "developer" };

// TypeScript applies decorators from the last to the first, and the order of the messages comes from that.
const decorated = (properties) => {
  const request = class {};
  for (const [property, { type = String, decorators }] of Object.entries(properties)) {
    const all = [...decorators, Reflect.metadata("design:type", type)];
    all.reverse().forEach((decorator) => decorator(request.prototype, property));
  }
  return request;
};

const text = () => ({ decorators: [IsString()] });
const address = () => ({ decorators: [IsEmail()] });
const optionalText = () => ({ decorators: [IsString(), IsOptional()] });
const optionalRole = () => ({ decorators: [IsEnum(UserRoles), IsOptional()] });

const AdminPostInvitesInviteAcceptUserReq = decorated({
  first_name: optionalText(),
  last_name: optionalText(),
  password: text(),
});

const REQUESTS = {
  AdminPostAuthReq: decorated({
    email: { decorators: [IsEmail(), IsNotEmpty()] },
    password: { decorators: [IsString(), IsNotEmpty()] },
  }),
  AdminCreateUserRequest: decorated({
    email: address(),
    first_name: { decorators: [IsOptional(), IsString()] },
    last_name: { decorators: [IsOptional(), IsString()] },
    role: optionalRole(),
    password: text(),
  }),
  AdminUpdateUserRequest: decorated({
    first_name: optionalText(),
    last_name: optionalText(),
    role: optionalRole(),
    api_token: optionalText(),
    metadata: { type: Object, decorators: [IsObject(), IsOptional()] },
  }),
  AdminResetPasswordTokenRequest: decorated({ email: address() }),
  AdminResetPasswordRequest: decorated({
    email: { decorators: [IsEmail(), IsOptional()] },
    token: text(),
    password: text(),
  }),
  AdminPostInvitesReq: decorated({ user: address(), role: { decorators: [IsEnum(UserRoles)] } }),
  AdminPostInvitesInviteAcceptReq: decorated({
    token: { decorators: [IsString(), IsNotEmpty()] },
    user: {
      type: AdminPostInvitesInviteAcceptUserReq,
      decorators: [IsNotEmpty(), ValidateNested(), Type(() => AdminPostInvitesInviteAcceptUserReq)],
    },
  }),
};

const messages = (errors) =>
  errors.flatMap(({ constraints, children }) => [...Object.values(constraints ?? {}), ...messages(children ?? [])]);

const message = async (request, body) => {
  try {
    const instance = plainToInstance(request, JSON.parse(body));
    const errors = await validate(instance, { whitelist: true, forbidNonWhitelisted: true });
    return errors.length ? messages(errors).join(", ") : null;
  } catch (error) {
    return { thrown: String(error) };
  }
};

require("./program")(({ request = "AdminPostAuthReq", bodies }) =>
  Promise.all(bodies.map((body) => message(REQUESTS[request], body))),
);
