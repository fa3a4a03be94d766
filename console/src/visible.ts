/**
 * Characters that do not show, or that turn the direction of the text around them, can make one name look like another
 * (Unicode Technical Report 36, "Visual Security Issues"). The console shows each as its code: `\u{202E}`.
 */
const hidden = /[\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Cf}\p{Zl}\p{Zp}]/gu;

export const visible = (text: string): string =>
  text.replaceAll(hidden, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`);

/** A backslash in JSON is two. */
export const visibleInJson = (json: string): string =>
  json.replaceAll(hidden, (one) => JSON.stringify(visible(one)).slice(1, -1));
