/** Plays some lives for another process: the first seed and how many are its arguments. */
import { playAll } from "./lives.ts";

const [first, count] = process.argv.slice(2).map(Number);
const lives = await playAll(first!, count!);
process.send?.(lives, () => process.disconnect());
