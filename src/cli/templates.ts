/** A file that `init` or `new` writes: its path in the project, and its text. */
export interface NewFile {
  /** Relative to the project folder, with `/`. */
  readonly path: string;
  readonly text: string;
}

export const PIPELINE_TEMPLATES = ["copy", "transform", "command", "http", "module"] as const;
export type PipelineTemplate = (typeof PIPELINE_TEMPLATES)[number];

/** What keeps Millrace's own files out of git. */
export const GITIGNORE_LINES: readonly string[] = ["# what Millrace keeps for itself", ".millrace/"];

/** The folder that the first pipeline watches. */
export const INPUT_FOLDER = "state/input";

const ECHO = `// Two steps: a text file dropped into state/input is written in capitals, then wrapped as JSON.
// Try it: start the daemon with "millrace start", then
//   echo "hello world" > state/input/001.txt
//   millrace explain output@001
{
  "name": "echo",
  // Where the files are, relative to the project folder.
  "stateRoot": "state/",
  "stages": [
    // A source: files that arrive. {id} is what one file is called by: 001 for input/001.txt.
    { "id": "input", "type": "source", "pattern": "input/{id}.txt" },

    // A transform: a file that is made from each file of its input. The expression is JavaScript.
    {
      "id": "transformed", "type": "transform", "input": "input", "pattern": "transformed/{id}.txt",
      "node": { "typeId": "transform", "data": { "expression": "$.input.content.toUpperCase()" } }
    },

    // Every stage before this one can be read by its id: $.input, $.transformed.
    {
      "id": "output", "type": "transform", "input": "transformed", "pattern": "output/{id}.json",
      "node": {
        "typeId": "set",
        "data": {
          "fields": [
            { "name": "id", "value": "{{$.entity.id}}" },
            { "name": "original", "value": "{{$.input.content}}" },
            { "name": "text", "value": "{{$.transformed.content}}" }
          ]
        }
      }
    }
  ]
}
`;

const README = `# A Millrace project

- \`pipelines/\` says which files are made from which: one JSON file per pipeline.
- \`state/\` is watched: drop files into \`state/input/\`, results appear in \`state/output/\`.

    millrace start                                  # watch and work
    echo "hello world" > state/input/001.txt        # in another terminal
    millrace status                                 # what is there
    millrace explain output@001                     # and why
`;

/** The files of a new project. */
export const INIT_FILES: readonly NewFile[] = [
  { path: "pipelines/echo.json", text: ECHO },
  { path: "README.md", text: README },
];

/** The files of a new pipeline: its definition, and with the template `module` the module it runs. */
export function pipelineFiles(name: string, template: PipelineTemplate): readonly NewFile[] {
  const { extension, comment, node } = PIPELINES[template](name);
  const text = `// ${comment}
// Drop files into ${inputFolderOf(name)}, results appear in state/${name}/out.
{
  "name": ${JSON.stringify(name)},
  "stateRoot": "state/",
  "stages": [
    { "id": "in", "type": "source", "pattern": "${name}/in/{id}.txt" },
    {
      "id": "out", "type": "transform", "input": "in", "pattern": "${name}/out/{id}.${extension}",
      "node": ${onOneLine(node)}
    }
  ]
}
`;
  const definition: NewFile = { path: `pipelines/${name}.json`, text };
  return template === "module" ? [definition, ...nodeFiles(name)] : [definition];
}

/** The folder, relative to the project's, that a new pipeline's files are dropped into. */
export function inputFolderOf(name: string): string {
  return `state/${name}/in`;
}

/** JSON on one line, with the spaces that people put there. */
function onOneLine(value: unknown): string {
  return JSON.stringify(value, undefined, 1).replaceAll(/\n */g, " ");
}

interface PipelineParts {
  readonly extension: string;
  readonly comment: string;
  readonly node: { readonly typeId: string; readonly data: Readonly<Record<string, unknown>> };
}

const PIPELINES: Readonly<Record<PipelineTemplate, (name: string) => PipelineParts>> = {
  copy: () => ({
    extension: "txt",
    comment: "Each file is copied as it is.",
    node: { typeId: "copy", data: {} },
  }),
  transform: () => ({
    extension: "txt",
    comment: "Each file goes through a JavaScript expression; $.input.content is its text.",
    node: { typeId: "transform", data: { expression: "$.input.content.trim() + '\\n'" } },
  }),
  command: () => ({
    extension: "txt",
    comment: "Each file goes through a command; what it prints, or writes to $MILLRACE_OUTPUT, is the result.",
    node: { typeId: "run_command", data: { command: 'sort -- "$MILLRACE_INPUT"' } },
  }),
  http: () => ({
    extension: "html",
    comment: "One request per file; the body of the answer is the result. Put the address of your service here.",
    node: { typeId: "http", data: { method: "GET", url: "https://example.com/" } },
  }),
  module: (name) => ({
    extension: "txt",
    comment: `Each file goes through your own function, in nodes/${name}.ts.`,
    node: { typeId: "module", data: { path: `nodes/${name}.ts`, params: { mark: "!" } } },
  }),
};

/** The file of a new module. */
export function nodeFiles(name: string): readonly NewFile[] {
  const text = `// Use it in a stage: "node": { "typeId": "module", "data": { "path": "nodes/${name}.ts", "params": { "mark": "!" } } }
// What it returns is the output: a string, bytes, a stream, or an object (written as JSON).

interface Given {
  readonly input: { readonly id: string; readonly path: string; readonly content: string };
  readonly params: { readonly mark?: string } | undefined;
}

export default function run({ input, params }: Given): string {
  return input.content.trimEnd().toUpperCase() + (params?.mark ?? "") + "\\n";
}
`;
  return [{ path: `pipelines/nodes/${name}.ts`, text }];
}
