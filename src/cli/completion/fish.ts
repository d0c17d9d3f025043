import type { CommandSpec, FlagSpec } from "../command-spec.ts";
import { argumentWords, flagWords, type FlagWords } from "./words.ts";

/** A fish script that completes commands, flags, their values, and targets (by asking `millrace __complete`). */
export function fishScript(commands: readonly CommandSpec[], globals: readonly FlagSpec[]): string {
  const names = commands.map((command) => command.name).join(" ");
  return `# millrace completion for fish
function __millrace_targets
    set -l ask (commandline -opc)[1]
    set -l words (commandline -opc)
    if set -l at (contains -i -- -C $words)
        set -a ask -C $words[(math $at + 1)]
    end
    $ask __complete -- (commandline -ct) 2>/dev/null
end
complete -c millrace -f
${commands.map(({ name, summary }) => `complete -c millrace -n "not __fish_seen_subcommand_from ${names}" -a ${name} -d ${quote(summary)}`).join("\n")}
${globals.map((flag) => optionLine(flagWords(flag), "")).join("\n")}
complete -c millrace -s h -l help -d ${quote("print this help")}
${commands.flatMap(commandLines).join("\n")}
`;
}

function commandLines(command: CommandSpec): string[] {
  const when = ` -n "__fish_seen_subcommand_from ${command.name}"`;
  const { words, targets, files } = argumentWords(command);
  return [
    ...command.flags.map((flag) => optionLine(flagWords(flag), when)),
    ...(words.length === 0 ? [] : [`complete -c millrace${when} -a ${quote(words.join(" "))}`]),
    ...(targets ? [`complete -c millrace${when} -a "(__millrace_targets)"`] : []),
    ...(files ? [`complete -c millrace${when} -F`] : []),
  ];
}

function optionLine({ short, long, takesValue, values, text }: FlagWords, when: string): string {
  const spelling = [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
  ];
  const value = !takesValue
    ? ""
    : values.length > 0
      ? ` -x -a ${quote(values.join(" "))}`
      : short === "-C"
        ? ' -x -a "(__fish_complete_directories)"'
        : " -x";
  return `complete -c millrace${when} ${spelling.join(" ")}${value} -d ${quote(text)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
