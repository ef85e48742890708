/**
 * The list of names on a desk's phone, and finding somebody in it as the server would (events.queries.find_people): by a
 * part of the name or organisation, by pinyin and initials in every reading, by the last four digits of the phone.
 *
 * At rest it is shut under a key of this browser that nobody can read out. That keeps it from whoever copies the storage,
 * not from whoever holds the unlocked phone: against them it ends with the pairing.
 */

const STORE = "names";
const FOUND_AT_MOST = 20;
const VARIANTS_MAX = 12;
const HAN = /[\u3007\u3400-\u9fff\u{20000}-\u{3ffff}]/u;
const HAN_RUN = /[\u3007\u3400-\u9fff\u{20000}-\u{3ffff}]+/gu;
const TYPED = /^[a-z\u3007\u3400-\u9fff\u{20000}-\u{3ffff}]+$/u;
const JOINTS = /[\s·•・‧.,'’`\-_]+/g;

/** Text as it is compared: width and case folded, single spaces. */
export function fold(text) {
  const folded = text.replace(/\0/g, " ").normalize("NFKC").toLowerCase().replace(/ß/g, "ss").replace(/ς/g, "σ");
  return folded.split(/\s+/).filter(Boolean).join(" ");
}

/** A text without tones; ü stays itself. */
function plain(text) {
  return text.normalize("NFD").replace(/(?!\u0308)\p{M}/gu, "").normalize("NFC");
}

/** How a typed text may be meant as pinyin, initials and characters mixed: {variants, han}. */
export function wanted(text, readings) {
  const typed = plain(fold(text)).replace(JOINTS, "").replace(/ü/g, "v");
  if (!TYPED.test(typed)) return { variants: [], han: [] };
  const han = [...new Set(typed.match(HAN_RUN) ?? [])];
  if (han.join("").length === typed.length) return { variants: [], han: [] };
  let heads = [""];
  for (const char of typed) {
    const ways = HAN.test(char) ? readings[char] ?? [""] : [char];
    heads = heads.flatMap((head) => ways.map((way) => head + way)).slice(0, VARIANTS_MAX);
  }
  const variants = new Set();
  for (const whole of heads) {
    variants.add(whole);
    variants.add(whole.replace(/([zcs])h(?=[^aeiouv])/g, "$1"));
  }
  return { variants: [...variants], han };
}

/** At most twenty people of `list` ({people, readings}), the best first. */
export function search(list, text) {
  const folded = fold(text);
  const digits = folded.replace(/[ -]/g, "").replace(/^\+/, "");
  const isNumber = /^[0-9]+$/.test(digits);
  if ([...folded].length < 2 || (isNumber && digits.length < 4) || folded.includes("@")) return [];
  const ranked = [];
  const meant = isNumber ? null : wanted(text, list.readings);
  for (const one of list.people) {
    const rank = isNumber ? (one.last4 && one.last4 === digits.slice(-4) ? 0 : null) : rankOf(one, folded, meant);
    if (rank !== null) ranked.push([rank, one]);
  }
  const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.passport - b.passport);
  return ranked
    .sort(([a, one], [b, other]) => a - b || byName(one, other))
    .slice(0, FOUND_AT_MOST)
    .map(([, one]) => one);
}

/** 0 whose name it is, 1 whose begins so, 2 where a word does, 3 all others; null for nobody looked for. */
function rankOf(one, folded, { variants, han }) {
  const isWritten = han.every((char) => one.search.includes(char));
  const sounds = (mark, tail = "") => isWritten && variants.some((variant) => one.forms.includes(mark + variant + tail));
  const isStart = sounds("^");
  const isInside = sounds("|");
  if (!one.search.includes(folded) && !isStart && !isInside) return null;
  const names = [one.name, one.badge_name, one.english_name].map((name) => name.toLowerCase());
  if (names.includes(folded) || sounds("^", " ")) return 0;
  if (one.search.startsWith(folded) || isStart) return 1;
  return one.search.includes(` ${folded}`) || isInside ? 2 : 3;
}

export class Names {
  /** `ask` as of the snapshot. */
  constructor({ ask, url, shelf, slug, subtle = globalThis.crypto?.subtle }) {
    Object.assign(this, { ask, url, shelf, slug, subtle });
    this.list = null;
    this.tag = "";
  }

  /** Fetches the list where there is a new one. Rejects where it was cut off or can't be kept. */
  async refresh() {
    if (!this.subtle) return;
    this.tag ||= (await this.shelf.get(STORE, [this.slug, "list"]))?.tag ?? "";
    const { status, body, etag } = await this.ask(this.url, this.tag ? { "if-none-match": this.tag } : {});
    if (status === 304) return;
    if (status === 403) {
      // The right to it was taken back.
      await this.wipe();
      return;
    }
    if (status !== 200 || !Array.isArray(body?.people)) throw new Error(`answered ${status}`);
    const key = await this.#key();
    const iv = globalThis.crypto.getRandomValues(new Uint8Array(12));
    const shut = await this.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(JSON.stringify(body)));
    await this.shelf.change([{ store: STORE, key: [this.slug, "list"], value: { tag: etag, iv, shut } }]);
    this.list = body;
    this.tag = etag;
  }

  async #key() {
    const known = await this.shelf.get(STORE, [this.slug, "key"]);
    if (known) return known;
    const key = await this.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    await this.shelf.change([{ store: STORE, key: [this.slug, "key"], value: key }]);
    return key;
  }

  /** Who is found, or null where this phone holds no list. */
  async search(text) {
    if (!this.list) {
      const [kept, key] = await Promise.all([
        this.shelf.get(STORE, [this.slug, "list"]),
        this.shelf.get(STORE, [this.slug, "key"]),
      ]);
      if (!kept || !key) return null;
      const open = await this.subtle.decrypt({ name: "AES-GCM", iv: kept.iv }, key, kept.shut);
      this.list = JSON.parse(new TextDecoder().decode(open));
    }
    return search(this.list, text);
  }

  async wipe() {
    this.list = null;
    this.tag = "";
    await this.shelf.change([{ store: STORE, prefix: [this.slug] }]).catch(() => {});
  }
}
