import { describe, expect, test } from 'vitest';
import { findRoute, isClash, orderRoutes, type Route } from '../src/routes.ts';
import { matchTemplate, parseTemplate, segmentsOf } from '../src/routeTemplate.ts';

describe('a route template', () => {
  test.each<[template: string, path: string, params: Record<string, string> | undefined]>([
    ['', '/', {}],
    ['', '/x', undefined],
    ['api/accounts', '/api/accounts', {}],
    ['api/accounts', '/API/Accounts/', {}],
    ['api/accounts', '/api/accounts/one', undefined],
    ['accounts/{name}', '/accounts/Contoso', { name: 'Contoso' }],
    ['accounts/{name}', '/accounts', undefined],
    ['accounts/{name}', '/accounts//', undefined],
    ['accounts/{name}', '/accounts/a%20b', { name: 'a b' }],
    ['accounts/{name}', '/accounts/a%2Fb', { name: 'a%2Fb' }],
    ['accounts/{name}', '/accounts/50%', { name: '50%' }],
    ['accounts/{name?}', '/accounts', {}],
    ['accounts/{name?}', '/accounts/x', { name: 'x' }],
    ['accounts/{name=all}', '/accounts', { name: 'all' }],
    ['accounts/{name=all}', '/accounts/x', { name: 'x' }],
    ['files/{*path}', '/files/a/b/c', { path: 'a/b/c' }],
    ['files/{*path}', '/files', {}],
    ['files/{*path=index}', '/files', { path: 'index' }],
    ['files/{**path}', '/files/a/b', { path: 'a/b' }],
    ['files/{name}.{type}', '/files/a.b.txt', { name: 'a.b', type: 'txt' }],
    ['files/{name}.{type}', '/files/readme', undefined],
    ['v{major:int}/ping', '/v12/ping', { major: '12' }],
    ['v{major:int}/ping', '/vx/ping', undefined],
    ['a{{b}}', '/a%7Bb%7D', {}],
    ['n/{id:int}', '/n/42', { id: '42' }],
    ['n/{id:int}', '/n/-7', { id: '-7' }],
    ['n/{id:int}', '/n/2147483648', undefined],
    ['n/{id:long}', '/n/2147483648', { id: '2147483648' }],
    ['n/{id:int?}', '/n', {}],
    ['n/{id:int?}', '/n/x', undefined],
    ['n/{id:min(3)}', '/n/2', undefined],
    ['n/{id:range(3,5)}', '/n/5', { id: '5' }],
    ['n/{id:bool}', '/n/TRUE', { id: 'TRUE' }],
    ['g/{id:guid}', '/g/0b1a7a54-8f33-4f4e-9a56-3a4a1d0e6e3c', { id: '0b1a7a54-8f33-4f4e-9a56-3a4a1d0e6e3c' }],
    ['g/{id:guid}', '/g/0b1a7a548f334f4e9a563a4a1d0e6e3c', { id: '0b1a7a548f334f4e9a563a4a1d0e6e3c' }],
    ['g/{id:guid}', '/g/0b1a7a54', undefined],
    ['s/{id:alpha}', '/s/Abc', { id: 'Abc' }],
    ['s/{id:alpha}', '/s/Abc1', undefined],
    ['s/{id:length(3)}', '/s/abcd', undefined],
    ['s/{id:length(3,24)}', '/s/abcd', { id: 'abcd' }],
    ['s/{id:alpha:maxlength(3)}', '/s/abcd', undefined],
    ['s/{id:minlength(2)}', '/s/a', undefined],
    ['s/{id:regex(^[[a-c]]$)}', '/s/b', undefined],
    ['s/{id:regex(^[a-c]{{2}}$)}', '/s/AB', { id: 'AB' }],
    ['s/{id:regex(b)}', '/s/abc', { id: 'abc' }],
    ['s/{id:regex(^a:(b|c)$)}', '/s/a:c', { id: 'a:c' }],
  ])('the route template %s on the path %s gives %o', (template, path, params) => {
    expect(matchTemplate(parseTemplate(template), segmentsOf(path))).toEqual(params);
  });

  test.each([
    ['a/{b', "a '{' is not closed"],
    ['a/b}', "a '}' is not opened"],
    ['a/{}', "'' is not a parameter name"],
    ['a/{b}/{B}', 'a parameter name is used twice'],
    ['a/{*b}/c', 'a catch-all parameter must be the last segment, alone in it'],
    ['a//b', 'a segment is empty'],
    ['a/{b:colour}', "'colour' is not a route constraint"],
    ['a/{b:length(x)}', "'length(x)' has the wrong arguments"],
  ])('the route template %s is refused with the reason: %s', (template, problem) => {
    expect(() => parseTemplate(template)).toThrow(problem);
  });
});

describe('the function that answers', () => {
  const route = (functionName: string, text: string, methods?: string[]): Route => ({
    functionName,
    text,
    template: parseTemplate(text),
    methods,
  });
  const winner = (routes: Route[], method: string, path: string) =>
    findRoute(orderRoutes(routes), method, path)?.route.functionName;

  test('the first function by name, ignoring case, answers in any order of registration', () => {
    const routes = [route('Zoo', 'items/{id}'), route('beta', 'items/{id}'), route('Alpha', 'items/{name}')];
    expect(winner(routes, 'GET', '/items/1')).toBe('Alpha');
  });

  test('a catch-all route with an earlier name shadows a more specific route', () => {
    expect(winner([route('b', 'items/list'), route('a', '{*rest}')], 'GET', '/items/list')).toBe('a');
  });

  test('the next function answers when method or constraint do not match', () => {
    const routes = [route('a', 'items/{id:int}', ['GET']), route('b', 'items/{id}', ['GET', 'POST'])];
    expect(winner(routes, 'POST', '/items/1')).toBe('b');
    expect(winner(routes, 'get', '/items/x')).toBe('b');
    expect(winner(routes, 'DELETE', '/items/x')).toBeUndefined();
  });

  test('two functions with the same route and a common method clash', () => {
    expect(isClash(route('a', 'X/{id}', ['PUT']), route('b', 'x/{id}', ['GET', 'PUT']))).toBe(true);
    expect(isClash(route('a', 'x', ['GET']), route('b', 'x', ['PUT']))).toBe(false);
    expect(isClash(route('a', 'x'), route('b', 'y'))).toBe(false);
  });
});
