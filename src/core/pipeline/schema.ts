/** The one schema library of definitions, for all who describe a part of one. */
export { z } from "zod";
