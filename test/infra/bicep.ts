/**
 * Reads the part of Bicep that infra/ keeps to, and nothing else: what it does not know is a mistake, with its line. No compiler is
 * on npm; the public workflow runs the real one. Grammar: Azure/bicep, docs/grammar.md.
 */

export type Node =
  | { readonly kind: 'text'; readonly text: string; readonly inside: readonly Node[] }
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly of: Node; readonly name: string }
  | { readonly kind: 'index'; readonly of: Node; readonly at: Node }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Node[] }
  | { readonly kind: 'function'; readonly parameter: string; readonly body: Node }
  | { readonly kind: 'operation'; readonly operands: readonly Node[] }
  | { readonly kind: 'object'; readonly properties: ReadonlyMap<string, Node> }
  | { readonly kind: 'array'; readonly items: readonly Node[] }
  | { readonly kind: 'for'; readonly names: readonly string[]; readonly over: Node; readonly body: Node }
  | { readonly kind: 'if'; readonly condition: Node; readonly body: Node };

export interface Declaration {
  readonly keyword: string;
  readonly name: string;
  readonly line: number;
  readonly decorators: readonly string[];
  /** Of a resource `Type@version`, of a module its path, of a parameter or output its type. */
  readonly type: string;
  readonly isExisting: boolean;
  readonly value?: Node;
}

interface Token {
  readonly kind: 'newline' | 'name' | 'number' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly line: number;
  readonly inside?: readonly Node[];
}

const signs = ['=>', '==', '!=', '>=', '<=', '&&', '||', '??', '.?', ...'{}[]().,:=?!@<>+-*/%'];

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  const fail = (what: string): never => {
    throw new Error(`line ${line}: ${what}`);
  };
  const add = (kind: Token['kind'], text: string) => {
    tokens.push({ kind, text, line });
    at += text.length;
  };
  while (at < source.length) {
    const rest = source.slice(at);
    const blank = /^(?:[ \t\r]+|\/\/[^\n]*)/.exec(rest)?.[0];
    if (blank !== undefined) at += blank.length;
    else if (rest.startsWith('\n')) {
      add('newline', '\n');
      line++;
    } else if (rest.startsWith("'")) {
      const [length, text, inside] = readText(rest, line);
      tokens.push({ kind: 'text', text, line, inside });
      at += length;
    } else {
      const word = /^[A-Za-z_]\w*/.exec(rest)?.[0];
      const number = /^\d+/.exec(rest)?.[0];
      const sign = signs.find((one) => rest.startsWith(one));
      if (word !== undefined) add('name', word);
      else if (number !== undefined) add('number', number);
      else add('sign', sign ?? fail(`'${rest.slice(0, 10)}' is no part of a template`));
    }
  }
  return [...tokens, { kind: 'end', text: 'the end', line }];
}

/** A string with its interpolations: how long it is in the source, its text, and the expressions inside. */
function readText(source: string, line: number): [number, string, Node[]] {
  let text = '';
  const inside: Node[] = [];
  for (let at = 1; at < source.length; at++) {
    const here = source.slice(at);
    if (here.startsWith("'")) return [at + 1, text, inside];
    if (here.startsWith('\n')) break;
    if (here.startsWith('\\')) text += source[++at];
    else if (here.startsWith('${')) {
      const end = here.indexOf('}');
      const expression = here.slice(2, end);
      if (end < 0 || expression.includes("'"))
        throw new Error(`line ${line}: an interpolation that this does not read`);
      inside.push(new Parser(tokensOf(expression)).whole());
      text += here.slice(0, end + 1);
      at += end;
    } else text += source[at];
  }
  throw new Error(`line ${line}: a string has no end`);
}

export const parseBicep = (source: string): Declaration[] => new Parser(tokensOf(source)).declarations();

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: 'the end', line: 0 };
  }

  get #isAtEnd(): boolean {
    return this.#next.kind === 'end';
  }

  #take(text?: string): Token {
    const token = this.#next;
    if (text !== undefined && token.text !== text)
      throw new Error(`line ${token.line}: expected '${text}', found '${token.text}'`);
    this.#at++;
    return token;
  }

  #takeKind(kind: Token['kind']): Token {
    if (this.#next.kind !== kind)
      throw new Error(`line ${this.#next.line}: expected a ${kind}, found '${this.#next.text}'`);
    return this.#take();
  }

  #isNext(text: string): boolean {
    return this.#next.text === text && this.#next.kind !== 'text';
  }

  #skipped(text: string): boolean {
    if (!this.#isNext(text)) return false;
    this.#take();
    return true;
  }

  #skipLines(): void {
    while (this.#next.kind === 'newline') this.#take();
  }

  whole(): Node {
    const node = this.#expression();
    this.#takeKind('end');
    return node;
  }

  declarations(): Declaration[] {
    const found: Declaration[] = [];
    let decorators: string[] = [];
    for (this.#skipLines(); !this.#isAtEnd; this.#skipLines()) {
      if (this.#skipped('@')) {
        const decorator = this.#expression();
        if (decorator.kind !== 'call') throw new Error(`line ${this.#next.line}: a decorator is a call`);
        decorators.push(decorator.name);
      } else {
        found.push(this.#declaration(decorators));
        decorators = [];
      }
      if (!this.#isAtEnd) this.#takeKind('newline');
    }
    return found;
  }

  #declaration(decorators: readonly string[]): Declaration {
    const { text: keyword, line } = this.#takeKind('name');
    const about = { keyword, line, decorators };
    switch (keyword) {
      case 'targetScope':
        this.#take('=');
        return { ...about, name: keyword, type: '', isExisting: false, value: this.#expression() };
      case 'using':
        return { ...about, name: keyword, type: this.#takeKind('text').text, isExisting: false };
      case 'param':
      case 'type':
      case 'var':
      case 'output': {
        const name = this.#takeKind('name').text;
        const type = this.#next.kind === 'name' ? this.#take().text : '';
        const value = this.#skipped('=') ? { value: this.#expression() } : {};
        return { ...about, name, type, isExisting: false, ...value };
      }
      case 'resource':
      case 'module': {
        const name = this.#takeKind('name').text;
        const type = this.#takeKind('text').text;
        const isExisting = this.#skipped('existing');
        this.#take('=');
        return { ...about, name, type, isExisting, value: this.#body() };
      }
      default:
        throw new Error(`line ${line}: '${keyword}' begins nothing that infra/ uses`);
    }
  }

  /** Of a resource or module: an object, with `if (...)` before it, or in a `for`. */
  #body(): Node {
    if (!this.#skipped('if')) return this.#expression();
    this.#take('(');
    const condition = this.#expression();
    this.#take(')');
    return { kind: 'if', condition, body: this.#expression() };
  }

  #expression(): Node {
    const operands = [this.#unary()];
    while (
      ['==', '!=', '>=', '<=', '>', '<', '&&', '||', '??', '+', '-', '*', '%', '/'].some((one) => this.#skipped(one))
    )
      operands.push(this.#unary());
    const [first] = operands;
    const left: Node = operands.length === 1 && first !== undefined ? first : { kind: 'operation', operands };
    if (!this.#skipped('?')) return left;
    // A type that may be absent: `int?`.
    if (this.#next.kind === 'newline') return left;
    const yes = this.#expression();
    this.#take(':');
    return { kind: 'operation', operands: [left, yes, this.#expression()] };
  }

  #unary(): Node {
    if (this.#skipped('!') || this.#skipped('-')) return { kind: 'operation', operands: [this.#unary()] };
    let node = this.#primary();
    for (;;) {
      if (this.#skipped('.') || this.#skipped('.?')) {
        const name = this.#takeKind('name').text;
        node = { kind: 'member', of: node, name };
      } else if (this.#isNext('[')) {
        this.#take();
        node = { kind: 'index', of: node, at: this.#expression() };
        this.#take(']');
      } else if (!this.#skipped('!')) return node;
    }
  }

  #primary(): Node {
    const token = this.#next;
    if (token.kind === 'text') return { kind: 'text', text: this.#take().text, inside: token.inside ?? [] };
    if (token.kind === 'number') return { kind: 'literal', text: this.#take().text };
    if (this.#skipped('(')) {
      const node = this.#expression();
      this.#take(')');
      return node;
    }
    if (this.#isNext('{')) return this.#object();
    if (this.#isNext('[')) return this.#array();
    const name = this.#takeKind('name').text;
    if (['true', 'false', 'null'].includes(name)) return { kind: 'literal', text: name };
    if (this.#skipped('=>')) return { kind: 'function', parameter: name, body: this.#expression() };
    if (!this.#skipped('(')) return { kind: 'name', name };
    const given: Node[] = [];
    for (this.#skipLines(); !this.#skipped(')'); this.#skipLines()) {
      given.push(this.#expression());
      this.#skipped(',');
    }
    return { kind: 'call', name, arguments: given };
  }

  #object(): Node {
    this.#take('{');
    const properties = new Map<string, Node>();
    for (this.#skipLines(); !this.#skipped('}'); this.#skipLines()) {
      const { text: name, line, kind } = this.#take();
      if (kind !== 'name' && kind !== 'text') throw new Error(`line ${line}: '${name}' is no property name`);
      if (properties.has(name)) throw new Error(`line ${line}: '${name}' is there twice`);
      this.#take(':');
      properties.set(name, this.#expression());
      this.#endOfItem('}');
    }
    return { kind: 'object', properties };
  }

  #array(): Node {
    this.#take('[');
    if (this.#skipped('for')) return this.#for();
    const items: Node[] = [];
    for (this.#skipLines(); !this.#skipped(']'); this.#skipLines()) {
      items.push(this.#expression());
      this.#endOfItem(']');
    }
    return { kind: 'array', items };
  }

  #for(): Node {
    const names: string[] = [];
    if (this.#skipped('(')) {
      names.push(this.#takeKind('name').text);
      this.#take(',');
      names.push(this.#takeKind('name').text);
      this.#take(')');
    } else names.push(this.#takeKind('name').text);
    this.#take('in');
    const over = this.#expression();
    this.#take(':');
    const body = this.#body();
    this.#take(']');
    return { kind: 'for', names, over, body };
  }

  /** Items end with their line, or with a comma in one line. */
  #endOfItem(close: string): void {
    if (this.#isNext(close) || this.#skipped(',')) return;
    this.#takeKind('newline');
  }
}

/** The nodes right below one. */
export function below(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'text':
      return node.inside;
    case 'literal':
    case 'name':
      return [];
    case 'member':
      return [node.of];
    case 'index':
      return [node.of, node.at];
    case 'call':
      return node.arguments;
    case 'function':
      return [node.body];
    case 'operation':
      return node.operands;
    case 'object':
      return [...node.properties.values()];
    case 'array':
      return node.items;
    case 'for':
      return [node.over, node.body];
    case 'if':
      return [node.condition, node.body];
  }
}

/** A node and all below it. */
export function* everyNode(node: Node): Generator<Node> {
  yield node;
  for (const one of below(node)) yield* everyNode(one);
}

/** The object that a resource or module is made by, without its `if` and `for`. */
export function bodyOf(node: Node | undefined): ReadonlyMap<string, Node> {
  if (node?.kind === 'if' || node?.kind === 'for') return bodyOf(node.body);
  return node?.kind === 'object' ? node.properties : new Map();
}
