// board.ts - what a dashboard of ours may hold: Grafana's own types, with what we always want, and nothing that either
// does not know. A file may leave out what Grafana has a default for.
import type {
  BigValueColorMode,
  BigValueGraphMode,
  Dashboard,
  DataQuery,
  FieldConfig,
  GraphFieldConfig,
  OptionsWithLegend,
  OptionsWithTooltip,
  Panel,
  RowPanel,
  SingleStatBaseOptions,
  VariableModel,
} from "@grafana/schema";

// As it stands in a file: enums are their values, and what has a default may be missing.
type Wire<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends readonly (infer U)[]
      ? Wire<U>[]
      : T extends object
        ? { [K in keyof T]?: Wire<T[K]> }
        : T;

type Unit = "none" | "short" | "percentunit" | "cps" | "reqps" | "Bps" | "bytes" | "s";
type Source = { type: "prometheus"; uid: "${datasource}" };
type Target = Pick<Wire<DataQuery>, "hide"> & { refId: string; datasource: Source; expr: string; legendFormat: string };
type Place = Required<Pick<NonNullable<Panel["gridPos"]>, "h" | "w" | "x" | "y">>;

type Fields<Custom> = {
  defaults: Omit<Wire<FieldConfig>, "custom" | "unit"> & { unit: Unit; custom?: Custom };
  overrides: [];
};
type Shown<Type extends string, Options, Custom> = Omit<
  Wire<Panel>,
  "type" | "id" | "title" | "description" | "datasource" | "gridPos" | "fieldConfig" | "targets" | "options"
> & {
  type: Type;
  id: number;
  title: string;
  description: string;
  datasource: Source;
  gridPos: Place;
  fieldConfig: Fields<Custom>;
  targets: [Target, ...Target[]];
  options: Options;
};
type Row = Omit<Wire<RowPanel>, "gridPos" | "panels"> & { type: "row"; id: number; title: string; gridPos: Place; panels: [] };
type OverTime = Shown<"timeseries", Wire<OptionsWithLegend & OptionsWithTooltip>, Wire<GraphFieldConfig>>;
type Number = Shown<
  "stat",
  Wire<SingleStatBaseOptions> & { colorMode?: `${BigValueColorMode}`; graphMode?: `${BigValueGraphMode}` },
  never
>;

// The schema has what all variables share; these are the keys of each kind.
type Variable<Type extends string> = Omit<Wire<VariableModel>, "type" | "name" | "label" | "query" | "datasource" | "description"> & {
  type: Type;
  name: string;
  label: string;
};
type Chosen = Variable<"datasource"> & { query: "prometheus"; current: { text: string; value: string } };
type Asked = Variable<"query"> & {
  description: string;
  datasource: Source;
  definition: string;
  query: { query: string; refId: string };
  refresh: 1 | 2;
  sort: 0 | 1;
  multi: boolean;
  includeAll: boolean;
  allValue: ".*";
  current: { selected: boolean; text: string[]; value: string[] };
  options: [];
  regex: string;
};

export type Board<Uid extends string> = Omit<Wire<Dashboard>, "uid" | "title" | "panels" | "templating"> & {
  uid: Uid;
  title: string;
  tags: string[];
  editable: false;
  panels: (Row | OverTime | Number)[];
  templating: { list: (Chosen | Asked)[] };
};
