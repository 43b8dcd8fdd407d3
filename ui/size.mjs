// Fails the build when the JavaScript of a first visit outgrows its budget. What a page loads lazily does not count:
// only the entry chunk and what its HTML preloads.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const FIRST_LOAD_BYTES_MAX = 230_000;
const html = readFileSync("dist/index.html", "utf8");
const files = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((match) => match[1]);
const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(`dist/${file}`)).length, 0);
console.log(`first load: ${bytes} bytes of JavaScript gzipped, at most ${FIRST_LOAD_BYTES_MAX}`);
if (files.length === 0 || bytes > FIRST_LOAD_BYTES_MAX) process.exit(1);
