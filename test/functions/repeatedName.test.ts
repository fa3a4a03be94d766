import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { repeatedNameIn } from '../../src/functions/pipeline/repeatedName.ts';

describe('the search for a repeated name', () => {
  it.each<[string, string, string, number]>([
    ['at the top', '{"a":1,"a":2}', 'a', 8],
    ['between others', '{"a":1,"b":{},"a":[]}', 'a', 15],
    ['in an object below', '{"properties":{"owner":"x","owner":"y"}}', 'properties.owner', 28],
    ['in an item of a list', '{"keys":[{"a":1},{"b":1,"b":1}]}', 'keys.1.b', 25],
    ['in a list at the top', '[1,[2,{"x":"y","x":"y"}]]', '1.1.x', 16],
    ['with an escape', '{"a":1,"\\u0061":2}', 'a', 8],
    ['an empty name', '{"":1, "" :2}', '', 8],
    ['__proto__', '{"__proto__":1,"__proto__":2}', '__proto__', 16],
    ['after an escaped quote', '{"a":"\\"","a":"}"}', 'a', 11],
  ])('the search finds a name that is there twice: %s', (_, text, path, position) => {
    expect(repeatedNameIn(text)).toEqual({ path, position });
  });

  it.each([
    '{"a":{"a":{"a":"a"}}}',
    '{"a":"b","b":"a"}',
    '[{"a":1},{"a":1}]',
    '{"a":["a","a"],"b":"a"}',
    '{"a":"{\\"b\\":1,\\"b\\":2}"}',
    '{"Owner":1,"owner":2}',
    '"a"',
    '[]',
  ])('the search passes %s', (text) => {
    expect(repeatedNameIn(text)).toBeUndefined();
  });

  it('the search passes every JSON text that an object gives, and finds its first name added again at the end', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(4), (object, indent) => {
        const text = JSON.stringify(object, null, indent);
        const [first = ''] = Object.keys(object);
        expect(repeatedNameIn(text)).toBeUndefined();
        const twice = `${text.slice(0, -1)},${JSON.stringify(first)}:0}`;
        expect(repeatedNameIn(twice)).toEqual({ path: first, position: text.length + 1 });
      }),
    );
  });
});
