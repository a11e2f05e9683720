// write.mjs DASHBOARDS - each dashboard as a constant of type Board in made/, for tsc; and what types cannot say: its file
// gives the uid, ids and refIds stand once, everything is described, and each variable is used by every query that can.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const folder = process.argv[2];
const problems = [];
rmSync("made", { recursive: true, force: true });
mkdirSync("made");

// Metrics of a feed have its label; those of the machine are the node exporter's.
const OF_FEED =
  /^mdengine_(feed_|ring_|stage_(exchange_to_receive|receive_to_decoded|decoded_to_visible|snapshot|exchange_ahead|negative))/;
const wanted = (metric) =>
  metric.startsWith("node_") ? ["node"] : OF_FEED.test(metric) ? ["instance", "feed"] : ["instance"];

function check(name, board) {
  const say = (text) => problems.push(`${name}.json: ${text}`);
  const variables = board.templating.list.filter((v) => v.type !== "datasource").map((v) => v.name);
  const used = new Set();
  const ids = new Set();
  for (const panel of board.panels) {
    if (ids.has(panel.id)) say(`the id ${panel.id} stands twice`);
    ids.add(panel.id);
    if (panel.type === "row") continue;
    if (!panel.description) say(`${panel.title}: no description`);
    const refs = panel.targets.map((t) => t.refId);
    if (new Set(refs).size !== refs.length) say(`${panel.title}: a refId stands twice`);
    for (const { expr } of panel.targets) {
      for (const [, metric, , labels] of expr.matchAll(/\b((?:mdengine|process|node)_\w+|up(?=\{))(\{([^}]*)\})?/g)) {
        // Names of stages are values of a label, too.
        if (expr.includes(`"${metric}"`)) continue;
        for (const variable of wanted(metric)) {
          used.add(variable);
          if (!(labels ?? "").includes(`=~"$${variable}"`)) say(`${panel.title}: ${metric} is not of $${variable} only`);
        }
      }
    }
  }
  for (const variable of variables) if (!used.has(variable)) say(`no panel uses $${variable}`);
  for (const variable of used) if (!variables.includes(variable)) say(`$${variable} is no variable`);
  for (const link of board.links ?? []) if (!link.title) say("a link without a title");
}

for (const file of readdirSync(folder).filter((f) => f.endsWith(".json"))) {
  const name = file.slice(0, -".json".length);
  const text = readFileSync(`${folder}/${file}`, "utf8");
  check(name, JSON.parse(text));
  writeFileSync(
    `made/${name}.ts`,
    `import type { Board } from "../board";\nexport const board: Board<"mdengine-${name}"> = ${text.trim()};\n`,
  );
}
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
