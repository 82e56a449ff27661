// What became of a call of medusa-js: {ok, status, data, setCookie, error}; it never rejects.
"use strict";

const plain = ({ config, request, headers, ...rest }) => rest;

module.exports = async (promise) => {
  try {
    const { response, ...data } = await promise;
    const setCookie = response.headers["set-cookie"] ?? null;
    return { ok: true, status: response.status, data, setCookie, error: null };
  } catch (error) {
    const { name, message, code = null, isAxiosError = false, response } = error;
    const answer = response ? plain(response) : {};
    const setCookie = response?.headers["set-cookie"] ?? null;
    const { status = null, data = null } = answer;
    return { ok: false, status, data: null, setCookie, error: { name, message, code, isAxiosError, status, data } };
  }
};
