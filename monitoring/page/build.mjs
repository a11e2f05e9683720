// build.mjs - makes dist/ out of src/: bundled, minified and compressed by tools whose versions the lock file names,
// so that the same sources give the same bytes everywhere. zlib is not one of them: each build of it compresses
// differently, and fflate does not.
import { build } from "esbuild";
import { gzipSync } from "fflate";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const LIMIT_BYTES = 150 * 1024;
const out = process.argv[2] ?? "dist";

// uPlot's licence wants to stand in every copy.
const notice = `/*! uPlot\n${readFileSync("node_modules/uplot/LICENSE", "utf8").replace(/\r/g, "").trim()}\n*/`;

const bundled = await build({
  banner: { js: notice, css: notice },
  entryPoints: ["src/page.ts", "src/page.css"],
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: "es2022",
  legalComments: "inline",
  outdir: "out",
  write: false,
});

const files = new Map(bundled.outputFiles.map((file) => [file.path.replace(/^.*\//, ""), file.contents]));
for (const name of ["index.html", "icon.svg"]) files.set(name, readFileSync(`src/${name}`));

let total = 0;
mkdirSync(out, { recursive: true });
for (const [name, bytes] of files) {
  const packed = gzipSync(bytes, { level: 9, mtime: 0 });
  packed[9] = 255; // made on no particular system
  writeFileSync(`${out}/${name}.gz`, packed);
  total += packed.length;
  console.log(`${name}: ${bytes.length} bytes, ${packed.length} compressed`);
}
console.log(`${total} bytes of ${LIMIT_BYTES}`);
if (total > LIMIT_BYTES) process.exit(1);
