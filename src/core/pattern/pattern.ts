export interface Pattern { readonly text: string }
