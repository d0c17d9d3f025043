/** The schema library, for node types' `data`: the rest of the program takes it from here. Importing this file loads it. */
export { z } from "zod";
