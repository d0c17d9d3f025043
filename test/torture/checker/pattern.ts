/** The patterns of a plan, matched and rendered by regular expressions of this folder's own. */

const TYPES: Readonly<Record<string, string>> = {
  int: "-?[0-9]+?",
  slug: "[a-z0-9]+?(?:-[a-z0-9]+?)*?",
  hex: "[0-9a-fA-F]+?",
  date: "[0-9]{4}-[0-9]{2}-[0-9]{2}",
};

/** The values of a pattern's variables, by name. */
export type Vars = Readonly<Record<string, string>>;

/** A pattern in the form that matches. */
export interface Compiled {
  readonly text: string;
  /** In the order of their first use. */
  readonly names: readonly string[];
  readonly isFolder: boolean;
  /** The values for which the pattern gives this path; `undefined` when there are none. A folder's path is without its final slash. */
  match(path: string): Vars | undefined;
  /** The path for these values, a folder's without its final slash. */
  render(vars: Vars): string;
}

const compiled = new Map<string, Compiled>();

/** The pattern of this text; each text is compiled once. Throws for a type that this folder does not know. */
export function compile(text: string): Compiled {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const made = build(text);
  compiled.set(text, made);
  return made;
}

function build(text: string): Compiled {
  const isFolder = text.endsWith("/");
  const body = isFolder ? text.slice(0, -1) : text;
  const names: string[] = [];
  let source = "";
  for (const part of body.split(/(\{[^}]*\})/)) {
    const variable = /^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?(?::([a-z]+))?\}$/.exec(part);
    if (variable === null) source += part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    else source += group(names, variable[1]!, variable[2] !== undefined, variable[3]);
  }
  const expression = new RegExp(`^${source}$`, "su");
  return {
    text,
    names,
    isFolder,
    match(path) {
      const found = expression.exec(path);
      return found === null ? undefined : { ...found.groups };
    },
    render: (vars) => body.replace(/\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}/g, (_, name: string) => vars[name]!),
  };
}

function group(names: string[], name: string, isRest: boolean, type: string | undefined): string {
  if (names.includes(name)) return `\\k<${name}>`;
  names.push(name);
  if (isRest) return `(?<${name}>[^/]+?(?:/[^/]+?)*?)`;
  const inner = type === undefined ? "[^/]+?" : TYPES[type];
  if (inner === undefined) throw new Error(`the checker does not know the type "${type}"`);
  return `(?<${name}>${inner})`;
}

/** The id of an entity: the values in the order of the pattern's variables. */
export function entityOf({ names }: Compiled, vars: Vars): string {
  return names.map((name) => vars[name]).join("/");
}
