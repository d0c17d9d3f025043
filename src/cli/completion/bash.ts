import type { CommandSpec, FlagSpec } from "../command-spec.ts";
import { argumentWords, flagWords, spellings, type FlagWords } from "./words.ts";

/** A bash script that completes commands, flags, their values, and targets (by asking `millrace __complete`). */
export function bashScript(commands: readonly CommandSpec[], globals: readonly FlagSpec[]): string {
  const globalFlags = globals.map(flagWords);
  const names = [...commands.map((command) => command.name), "help"].join(" ");
  const folders = globalFlags.filter((flag) => flag.takesValue).flatMap(spellings);
  return `# millrace completion for bash
_millrace() {
  # "@", "=" and ":" break words for readline: take the word from the line itself, give back only what follows the last break.
  local line="\${COMP_LINE:0:COMP_POINT}" command="" folder="" word previous="" at
  local -a words
  read -r -a words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  word="\${words[-1]}"
  for ((at = 1; at < \${#words[@]} - 1; at++)); do
    previous="\${words[at]}"
    case "$previous" in
      ${folders.join("|")}) folder="\${words[at + 1]}"; ((at++)) ;;
      -*) ;;
      *) [[ -z "$command" ]] && command="$previous" ;;
    esac
  done
  previous="\${words[\${#words[@]} - 2]}"
  local flags="${globalFlags.flatMap(spellings).join(" ")} --help" values="" targets="" files=""
  case "$command" in
    "") values="${names}" ;;
    help) values="${names}" ;;
${commands.map((command) => commandCase(command)).join("\n")}
  esac
  case "$command $previous" in
${commands.flatMap((command) => valueCases(command)).join("\n")}
  esac
  case "$previous" in
    ${folders.join("|")}) COMPREPLY=($(compgen -d -- "$word")); return ;;
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
    return
  fi
  COMPREPLY=($(compgen -W "$values" -- "$word"))
  if [[ -n "$targets" ]]; then
    local -a ask=("\${COMP_WORDS[0]}")
    [[ -n "$folder" ]] && ask+=(-C "$folder")
    COMPREPLY+=($(compgen -W "$("\${ask[@]}" __complete -- "$word" 2>/dev/null)" -- "$word"))
  fi
  [[ -n "$files" ]] && COMPREPLY+=($(compgen -f -- "$word"))
  local break="\${word%"\${word##*[@=:]}"}"
  [[ -n "$break" && "$COMP_WORDBREAKS" == *"\${break: -1}"* ]] && COMPREPLY=("\${COMPREPLY[@]#"$break"}")
}
complete -F _millrace millrace
`;
}

function commandCase(command: CommandSpec): string {
  const { words, targets, files } = argumentWords(command);
  const flags = command.flags.map(flagWords).flatMap(spellings).join(" ");
  const parts = [
    ...(flags === "" ? [] : [`flags="$flags ${flags}"`]),
    ...(words.length === 0 ? [] : [`values="${words.join(" ")}"`]),
    ...(targets ? ["targets=1"] : []),
    ...(files ? ["files=1"] : []),
  ];
  return `    ${command.name}) ${parts.length === 0 ? ":" : parts.join("; ")} ;;`;
}

function valueCases(command: CommandSpec): string[] {
  return command.flags
    .map(flagWords)
    .filter((flag) => flag.takesValue)
    .map(
      (flag) =>
        `    ${patternOf(command, flag)}) COMPREPLY=($(compgen -W "${flag.values.join(" ")}" -- "$word")); return ;;`,
    );
}

function patternOf(command: CommandSpec, flag: FlagWords): string {
  return spellings(flag)
    .map((spelling) => `"${command.name} ${spelling}"`)
    .join("|");
}
