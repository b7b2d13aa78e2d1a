// Cuts GitHub's description of its API to the operations that we use: node cut.mjs api.github.com.json > github-api.json
import { readFileSync } from "node:fs";

const USED = {
  "/app/installations/{installation_id}": ["get"],
  "/app/installations/{installation_id}/access_tokens": ["post"],
  "/installation/repositories": ["get"],
  "/installation/token": ["delete"],
  "/repos/{owner}/{repo}/installation": ["get"],
  "/repos/{owner}/{repo}/keys": ["get", "post"],
  "/repos/{owner}/{repo}/keys/{key_id}": ["get", "delete"],
};

const whole = JSON.parse(readFileSync(process.argv[2], "utf8"));
const reached = new Set();

/**
 * A copy without examples and extensions; remembers what it refers to. Prism 5.14.2 checks nothing at all of a body whose
 * schema says `nullable` and no type.
 */
function cut(value) {
  if (Array.isArray(value)) return value.map(cut);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ref === "string") reached.add(value.$ref);
  const isKept = ([name]) => !/^(x-.*|examples?)$/.test(name) && !(name === "nullable" && !value.type);
  const kept = Object.entries(value).filter(isKept);
  return Object.fromEntries(kept.map(([name, it]) => [name, cut(it)]));
}

const paths = {};
for (const [path, methods] of Object.entries(USED)) {
  paths[path] = Object.fromEntries(methods.map((method) => [method, cut(whole.paths[path][method])]));
}
const components = {};
// A set gives what is added to it meanwhile too.
for (const reference of reached) {
  const [, , kind, name] = reference.split("/");
  (components[kind] ??= {})[name] = cut(whole.components[kind][name]);
}
const { openapi, info, servers } = whole;
const { title, version, license } = info;
console.log(JSON.stringify({ openapi, info: { title, version, license }, servers, paths, components }, null, 1));
