import type { CommandSpec, FlagSpec } from "../command-spec.ts";
import { flagWords, type FlagWords } from "./words.ts";

/** A zsh script that completes commands, flags, their values, and targets (by asking `millrace __complete`). */
export function zshScript(commands: readonly CommandSpec[], globals: readonly FlagSpec[]): string {
  const globalSpecs = [...globals.map(flagWords).flatMap(optionSpecs), "'(-h --help)'{-h,--help}'[print this help]'"];
  return `#compdef millrace
# millrace completion for zsh
_millrace_targets() {
  local -a ask found
  local folder="\${opt_args[-C]:-$millrace_folder}"
  ask=("$millrace_program")
  [[ -n "$folder" ]] && ask+=(-C "\${(Q)folder}")
  found=("\${(@f)$("\${ask[@]}" __complete -- "$PREFIX" 2>/dev/null)}")
  [[ -n "$found" ]] && compadd -- "\${found[@]}"
  _files
}
_millrace() {
  local context state state_descr line
  local millrace_program="\${(Q)words[1]}" millrace_folder=""
  typeset -A opt_args
  local -a commands flags
  commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join("\n")}
    'help:print the help of a command'
  )
  flags=(
${globalSpecs.map((spec) => `    ${spec}`).join("\n")}
  )
  _arguments -C "\${flags[@]}" '1: :->command' '*:: :->rest' && return
  millrace_folder="\${opt_args[-C]}"
  case "$state" in
    command) _describe command commands ;;
    rest)
      case "$line[1]" in
${commands.map(commandCase).join("\n")}
        help) _describe command commands ;;
      esac ;;
  esac
}
if [[ "$funcstack[1]" = _millrace ]]; then _millrace "$@"; else compdef _millrace millrace; fi
`;
}

function commandCase(command: CommandSpec): string {
  const specs = [
    ...command.flags.map(flagWords).flatMap(optionSpecs),
    ...command.args.map(({ form, words, isTarget }, at) => {
      const action = words !== undefined ? `(${words.join(" ")})` : isTarget === true ? "_millrace_targets" : "_files";
      return quote(`${form.includes("...") ? "*" : at + 1}:${form.replace(/[^a-z]/g, "")}:${action}`);
    }),
  ];
  return `        ${command.name}) _arguments "\${flags[@]}"${specs.map((spec) => ` ${spec}`).join("")} ;;`;
}

/** One `_arguments` spec per spelling, those of one flag excluding each other. */
function optionSpecs({ short, long, takesValue, values, text }: FlagWords): string[] {
  const all = [short, long].filter((word) => word !== undefined);
  const action = values.length > 0 ? `(${values.join(" ")})` : all.includes("-C") ? "_directories" : " ";
  return all.map((spelling) =>
    quote(
      `(${all.join(" ")})${spelling}[${text.replace(/[[\]:]/g, "\\$&")}]${takesValue ? `:${long?.slice(2) ?? "folder"}:${action}` : ""}`,
    ),
  );
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
