// dom.ts - the little that is needed of the document: elements by id, text that is written only when it differs, rows
// that stay the same elements while their key is there.
import type { Tone } from "./types";

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as T;
}

export function setText(to: Node, text: string): void {
  if (to.textContent !== text) to.textContent = text;
}

export function setPill(to: HTMLElement, text: string, tone: Tone): void {
  setText(to, text);
  if (to.dataset.tone !== tone) to.dataset.tone = tone;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, className = "", text = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// A cell with the number that it shows, for tests and for whoever reads the page with a program.
export function setCell(cell: HTMLElement, text: string, tone = "", raw: string | number = ""): void {
  setText(cell, text);
  const className = cell.dataset.base ? `${cell.dataset.base} ${tone}`.trim() : tone;
  if (cell.className !== className) cell.className = className;
  if (cell.dataset.raw !== String(raw)) cell.dataset.raw = String(raw);
}

export interface Row {
  row: HTMLTableRowElement;
  cells: Record<string, HTMLTableCellElement>;
}

// Rows of a table body by key, in the order in which they are asked for.
export class Rows {
  private readonly known = new Map<string, Row>();
  private readonly none: HTMLTableRowElement;

  constructor(
    private readonly body: HTMLElement,
    private readonly columns: [key: string, className: string][],
    private readonly head: (key: string, cell: HTMLElement) => void,
    emptyText: string,
  ) {
    this.none = make("tr");
    const cell = make("td", "empty", emptyText);
    cell.colSpan = columns.length + 1;
    this.none.append(cell);
  }

  show(keys: string[], fill: (key: string, row: Row, at: number) => void): void {
    const wanted = new Set(keys);
    for (const [key, row] of this.known) {
      if (wanted.has(key)) continue;
      row.row.remove();
      this.known.delete(key);
    }
    keys.forEach((key, at) => {
      let row = this.known.get(key);
      if (!row) {
        row = this.add(key);
        this.known.set(key, row);
      }
      if (this.body.children[at] !== row.row) this.body.insertBefore(row.row, this.body.children[at] ?? null);
      fill(key, row, at);
    });
    if (keys.length === 0) this.body.append(this.none);
    else this.none.remove();
  }

  private add(key: string): Row {
    const row = make("tr");
    row.dataset.key = key;
    const head = make("th");
    head.scope = "row";
    this.head(key, head);
    row.append(head);
    const cells: Record<string, HTMLTableCellElement> = {};
    for (const [name, className] of this.columns) {
      const cell = make("td", className);
      cell.dataset.key = name;
      if (className) cell.dataset.base = className;
      cells[name] = cell;
      row.append(cell);
    }
    return { row, cells };
  }
}
