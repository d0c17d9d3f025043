// An article becomes a short message: title, as much of the summary as fits, hashtags and the link.
import { readDocument } from "./front-matter.ts";
import { shorten } from "./shorten.ts";

/** What the stage hands in; the rest of what a node gets is not needed here. */
interface Article {
  readonly entity: { readonly id: string };
  readonly input: { text(): string };
  readonly params: { readonly site?: string; readonly maxLength?: number; readonly maxHashtags?: number };
}

interface Tweet {
  readonly slug: string;
  readonly text: string;
  readonly link: string;
  readonly hashtags: readonly string[];
  /** Characters of the text, as people count them: an emoji is one. */
  readonly length: number;
}

/** The message; its text is never longer than `maxLength` characters. Title and link always stay, the title cut where it must be. */
export default ({ entity, input, params }: Article): Tweet => {
  const { site = "https://example.org/articles/", maxLength = 280, maxHashtags = 3 } = params;
  const { entries } = readDocument(input.text());
  const title = entries.get("title")?.value;
  if (typeof title !== "string" || title === "") throw new Error('the article has no "title" in its front matter');
  const summary = entries.get("summary")?.value;
  const tags = entries.get("tags")?.value ?? [];
  const link = `${site}${encodeURIComponent(entity.id)}`;
  const room = maxLength - count(link) - 1;
  if (room < 10) throw new Error(`"site" leaves only ${room} of ${maxLength} characters for the text`);

  let text = shorten(title, room);
  const hashtags: string[] = [];
  for (const tag of typeof tags === "string" ? tags.split(",") : tags) {
    const hashtag = toHashtag(tag);
    const used = count([text, ...hashtags, hashtag].join(" "));
    if (hashtag !== "" && !hashtags.includes(hashtag) && hashtags.length < maxHashtags && used <= room)
      hashtags.push(hashtag);
  }
  const left = room - count([text, ...hashtags].join(" ")) - count(": ");
  if (typeof summary === "string" && left >= 20) text = `${text}: ${shorten(summary, left)}`;
  text = [text, ...hashtags, link].join(" ");
  return { slug: entity.id, text, link, hashtags, length: count(text) };
};

/** `web development` becomes `#WebDevelopment`; what no hashtag can hold is left out, which may be all of it. */
function toHashtag(tag: string): string {
  const words = tag.match(/[\p{L}\p{N}_]+/gu) ?? [];
  const name =
    words.length === 1 ? words[0] : words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return name === undefined || name === "" || /^\d+$/.test(name) ? "" : `#${name}`;
}

function count(text: string): number {
  return Array.from(text).length;
}
