/** The schema library, for node types' `data`: the rest of the program takes it from here. Importing this file loads it. */
import { z } from "zod";

// A definition is checked once in most processes: compiling a checker for it would take longer than checking.
z.config({ jitless: true });

export { z };
