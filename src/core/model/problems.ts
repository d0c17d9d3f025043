/**
 * Every problem code with its title. The table is the source of `docs/errors.md` (a test compares both directions).
 * 1xx usage, root and daemon; 2xx definitions and patterns; 3xx attempts of a node; 4xx the store; 5xx watching and the machine.
 * A code is never reused for another meaning.
 */
export const PROBLEM_TITLES = {
  M101: "usage is wrong",
  M102: "a file of the project cannot be written",
  M110: "another process holds the root",
  M111: "the file that locks the root cannot be used",
  M112: "the daemon that owns the root does not answer",
  M113: "a state root cannot be used",
  M114: "a new state root needs a restart",
  M130: "an entity has no manifest",
  M131: "a target is not known",
  M132: "a target names several tasks",
  M133: "an id does not fit its pattern",
  M134: "a state is not there",
  M135: "a state cannot be used",
  M140: "something is in the way of what is to be put back",
  M141: "a trash entry cannot be used",
  M199: "a call failed",
  M201: "a definition is not valid JSON",
  M202: "a key is not known",
  M203: "a value has the wrong type or is out of range",
  M204: "an output pattern uses a variable that no input binds",
  M205: "a node type is not known",
  M206: "a stage is not known",
  M207: "a pattern is wrong",
  M208: "something is written twice",
  M209: "stages form a circle",
  M210: "a stage feeds itself",
  M211: "two stages can write one path",
  M212: "not in this release",
  M213: "two pipelines have one name",
  M214: "state roots lie inside one another",
  M215: "there are no definitions",
  M216: "a definition cannot be loaded",
  M217: "a key is missing",
  M218: "a key does not belong here",
  M219: "the data of a node is wrong",
  M310: "a node file is missing",
  M311: "a node file does not compile",
  M312: "a node file lacks the named export",
  M313: "a package cannot be resolved",
  M314: "a tool's version command failed",
  M315: "a code file is missing",
  M316: "a compiled module cannot be kept",
  M317: "a definition module failed while it was loaded",
  M401: "a manifest is damaged",
  M402: "a manifest was written by a later release",
  M403: "two entities have one manifest file",
  M404: "the controls are damaged",
  M405: "the controls were written by a later release",
  M406: "the record of an interrupted commit is damaged",
  M407: "the ledger is damaged",
  M408: "the root's key is damaged",
  M409: "the ledger was written by a later release",
  M410: "the index is damaged",
  M501: "something under a root cannot be looked at",
  M510: "the disk is full",
  M511: "the disk is read-only",
  M512: "the root is away",
  M513: "too many files are open",
  M514: "a scan failed",
} as const;

/** A stable problem code. */
export type ProblemCode = keyof typeof PROBLEM_TITLES;

/** A broken invariant of Millrace itself: thrown, never returned. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}
