// Takes the token out of the address, where no server sees it, and puts it into the form. Without this script, the link
// is pasted by hand.
"use strict";

// Another link that is opened in this tab changes nothing but the fragment, which would load nothing.
addEventListener("hashchange", () => location.replace(`${location.pathname}?${location.hash}`));

const field = document.getElementById("token");
if (field) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") || field.value;
  if (token) {
    field.value = token;
    document.getElementById("pasted").hidden = true;
    // Not for the history, nor for whoever looks over a shoulder.
    history.replaceState(null, "", location.pathname);
    showAccount(token);
  }
  const password = document.getElementById("password");
  const show = document.getElementById("show");
  show.hidden = false;
  const reveal = (shown) => {
    password.type = shown ? "text" : "password";
    show.setAttribute("aria-pressed", String(shown));
    show.textContent = shown ? "Hide" : "Show";
  };
  show.addEventListener("click", () => reveal(password.type === "password"));
  // What is sent as text, browsers keep to suggest it later.
  password.form.addEventListener("submit", () => reveal(false));
}

// Whose password it is, for people and for password managers. What counts is what the server reads in the token.
function showAccount(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    document.getElementById("email").value = claims.user_email || claims.email;
    document.getElementById("account").hidden = false;
  } catch {
    // No token of ours: the server says so.
  }
}
