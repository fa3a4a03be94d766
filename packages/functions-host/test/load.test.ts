import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { startHost } from '../src/host.ts';
import { appFolder, eventually, startApp } from './app.ts';

const load = (source: string, files: Record<string, string> = {}) =>
  startHost({ appDir: appFolder({ source, files }), settings: {}, onLog: () => undefined });

describe('loading an app', () => {
  test('an app registers its functions, also after a top-level await', async () => {
    const { host } = await startApp({
      source: `app.http('b', { route: 'things/{id}', methods: ['PUT'], authLevel: 'admin', handler() {} });
        await new Promise((resolve) => setTimeout(resolve, 5));
        app.timer('c', { schedule: '0 */5 * * * *', handler() {} });
        app.eventGrid('d', { handler() {} });`,
      timers: false,
    });
    expect(host.functions).toEqual([
      { name: 'b', trigger: 'httpTrigger', route: 'things/{id}', methods: ['PUT'], authLevel: 'admin' },
      { name: 'c', trigger: 'timerTrigger', schedule: '0 */5 * * * *', runOnStartup: false, useMonitor: true },
      { name: 'd', trigger: 'eventGridTrigger', many: false },
    ]);
  });

  test('the host loads CommonJS, several files by a glob, and the same app again', async () => {
    const files = {
      'package.json': '{"main":"out/*.cjs"}',
      'out/one.cjs': "const { app } = require('@azure/functions'); app.http('one', { handler() {} });",
      'out/two.cjs': "const { app } = require('@azure/functions'); app.http('two', { handler() {} });",
    };
    const appDir = appFolder({ files });
    for (let time = 0; time < 2; time++) {
      const { host } = await startApp({ appDir });
      expect(host.functions.map((one) => one.name)).toEqual(['one', 'two']);
    }
  });

  test('each host in a process has its own copy of the app, including modules that the app imports later', async () => {
    const files = {
      'state.mjs': 'export const state = { count: 0 };',
      'lazy.mjs': "import { state } from './state.mjs'; export const next = () => ++state.count;",
      'app.mjs': `import { app } from '@azure/functions';
        app.http('count', { authLevel: 'anonymous', async handler() {
          const { next } = await import('./lazy.mjs');
          return { jsonBody: next() };
        } });`,
    };
    const appDir = appFolder({ files });
    const { host: first } = await startApp({ appDir });
    const { host: second } = await startApp({ appDir });
    const count = async (url: string) => (await fetch(`${url}/api/count`)).json();
    expect([await count(first.url), await count(first.url), await count(second.url)]).toEqual([1, 2, 1]);
  });

  test('a code-split bundle of ES modules that contains @azure/functions loads twice in one process', async () => {
    const appDir = appFolder({
      files: {
        'package.json': '{"type":"module","main":"dist/index.js"}',
        'src/index.ts': `import { app } from '@azure/functions';
          app.http('ping', { authLevel: 'anonymous', handler: async () => ({ body: (await import('./pong.ts')).pong }) });`,
        'src/pong.ts': "export const pong = 'pong';",
      },
    });
    await build({
      entryPoints: [join(appDir, 'src/index.ts')],
      outdir: join(appDir, 'dist'),
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      minify: true,
      external: ['@azure/functions-core'],
      banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
      logLevel: 'silent',
    });
    expect(readFileSync(join(appDir, 'dist/index.js'), 'utf8')).toContain('@azure/functions-core');
    const { host: first } = await startApp({ appDir });
    const { host: second } = await startApp({ appDir });
    for (const host of [first, second]) expect(await (await fetch(`${host.url}/api/ping`)).text()).toBe('pong');
  });

  test('a registration after the start is refused', async () => {
    const { probe } = await startApp({
      source: `app.http('early', { handler() {} });
        setTimeout(() => { try { app.http('late', { handler() {} }); } catch (error) { probe.seen.push(error.message); } }, 20);`,
    });
    await eventually(() => probe.seen).toEqual(['A function can only be registered during app startup.']);
  });

  test.each([
    [
      'a throw at load',
      "import { app } from '@azure/functions'; app.http('a', { handler() {} }); throw new Error('no such key');",
      /app\.mjs of .* failed to load: no such key/,
    ],
    ['an app that registers nothing', "import { app } from '@azure/functions';", /never loaded the Functions runtime/],
    [
      'an app that registers after a timeout',
      "import { app } from '@azure/functions'; app.hook.appStart(() => {}); setTimeout(() => { try { app.http('a', { handler() {} }); } catch {} }, 5);",
      /registered none while it loaded/,
    ],
    ['a bundle without require', "const r = undefined; r('util');", /r is not a function/],
    [
      'a bad function name',
      "import { app } from '@azure/functions'; app.http('host', { handler() {} });",
      /'host' is not a function name/,
    ],
    [
      'two functions of one name',
      "import { app } from '@azure/functions'; app.http('a', { handler() {} }); app.http('A', { handler() {} });",
      /'a' has already been registered/,
    ],
  ])('an app is refused for %s', async (_, source, problem) => {
    await expect(load(source)).rejects.toThrow(problem);
  });

  const register =
    "import { app, output } from '@azure/functions'; app.http('fine', { authLevel: 'anonymous', handler: () => ({ body: 'x' }) }); ";
  test.each([
    [
      'a trigger that is not served',
      "app.storageBlob('a', { path: 'p', connection: 'C', handler() {} });",
      /The 'a' function is in error: this host runs HTTP, timer, queue, Event Grid and Event Hub triggers, and no blobTrigger/,
    ],
    [
      'an output binding',
      "app.http('a', { extraOutputs: [output.storageQueue({ queueName: 'q', connection: 'C' })], handler() {} });",
      /does not serve the binding 'queueOutput/,
    ],
    [
      'a reserved route',
      "app.http('a', { route: 'administrators', handler() {} });",
      /The 'a' function is in error: the route 'administrators' begins with 'admin' or 'runtime'/,
    ],
    [
      'a wrong route',
      "app.http('a', { route: 'x/{y:z}', handler() {} });",
      /The 'a' function is in error: the route 'x\/{y:z}' is not valid: 'z' is not a route constraint/,
    ],
    [
      'two functions on one route',
      "app.http('b', { route: 'x', handler() {} }); app.http('a', { route: 'X', methods: ['POST'], handler() {} });",
      /The 'b' function is in error: 'a' has the same route and method: api\/x/,
    ],
    [
      'a wrong schedule',
      "app.timer('a', { schedule: 'daily', handler() {} });",
      /The 'a' function is in error: the schedule 'daily' is not an NCRONTAB schedule/,
    ],
    [
      'a TimeSpan as schedule',
      "app.timer('a', { schedule: '00:05:00', handler() {} });",
      /The 'a' function is in error: the schedule '00:05:00' is a TimeSpan, which .* on a Dedicated plan only/,
    ],
    [
      'a schedule whose setting is missing',
      "app.timer('a', { schedule: '%HOST_TEST_NONE%', handler() {} });",
      /The 'a' function is in error: schedule names the setting HOST_TEST_NONE, which is not set/,
    ],
    [
      'a retry policy',
      "app.timer('a', { schedule: '0 0 0 1 1 *', retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: 1 }, handler() {} });",
      /The 'a' function is in error: this host does not run retry policies/,
    ],
    [
      'an event hub without a connection',
      "app.eventHub('a', { eventHubName: 'logs', connection: 'HOST_TEST_NO', handler() {} });",
      /The 'a' function is in error: connection names the setting HOST_TEST_NO/,
    ],
    [
      'a queue without a connection',
      "app.storageQueue('a', { queueName: 'work', connection: 'HOST_TEST_NO', handler() {} });",
      /The 'a' function is in error: connection names the setting HOST_TEST_NO/,
    ],
    [
      'a wrong queue name',
      "app.storageQueue('a', { queueName: 'my_queue', connection: 'C', handler() {} });",
      /The 'a' function is in error: queueName 'my_queue' must be/,
    ],
  ])('%s puts its function in error, and the host runs the others', async (_, source, problem) => {
    const { host, errors } = await startApp({ appDir: appFolder({ source: register + source }) });
    expect(errors()).toEqual([expect.stringMatching(problem)]);
    expect(host.functions.map(({ name }) => name).filter((name) => name !== 'a' && name !== 'b')).toEqual(['fine']);
    expect((await fetch(`${host.url}/api/fine`)).status).toBe(200);
  });

  test('an app is refused when package.json names no file or a missing one', async () => {
    await expect(load('', { 'package.json': '{}' })).rejects.toThrow('"main" must name the built app');
    await expect(load('', { 'package.json': '{"main":"dist/x.js"}' })).rejects.toThrow('does not exist; is it built?');
  });

  test('the appStart hooks run before the first call, and an error in a hook refuses the app', async () => {
    const { probe } = await startApp({
      source: `app.hook.appStart(() => { probe.seen.push('start'); }); app.http('a', { handler() {} });`,
    });
    expect(probe.seen).toEqual(['start']);
    const source = `app.hook.appStart(() => { throw new Error('not today'); }); app.http('a', { handler() {} });`;
    await expect(startApp({ source })).rejects.toThrow('not today');
  });
});

describe('invocation hooks', () => {
  test('invocation hooks can change input, function, result and error, and share data', async () => {
    const { host } = await startApp({
      source: `
        app.hook.preInvocation((context) => { context.hookData.began = 1; context.inputs[0] = { name: 'changed' }; });
        app.hook.postInvocation((context) => {
          if (context.error) { context.error = null; context.result = { body: 'mended' }; }
          else context.result = { body: context.result.body + context.hookData.began };
        });
        app.http('good', { authLevel: 'anonymous', handler: (request) => ({ body: request.name }) });
        app.http('bad', { authLevel: 'anonymous', handler() { throw new Error('x'); } });`,
    });
    expect(await (await fetch(`${host.url}/api/good`)).text()).toBe('changed1');
    expect(await (await fetch(`${host.url}/api/bad`)).text()).toBe('mended');
  });

  test('a preInvocation hook that throws fails the call and skips the postInvocation hooks', async () => {
    const { host, probe } = await startApp({
      source: `
        app.hook.preInvocation(() => { throw new Error('no entry'); });
        app.hook.postInvocation(() => { probe.seen.push('post'); });
        app.http('a', { authLevel: 'anonymous', handler() { probe.seen.push('ran'); } });`,
    });
    expect((await fetch(`${host.url}/api/a`)).status).toBe(500);
    expect(probe.seen).toEqual([]);
  });
});

describe('logs', () => {
  test("the app's records have their function but no invocation id, which the host's records of start and end have in text and field", async () => {
    const { host, records } = await startApp({
      source: `app.http('talk', { authLevel: 'anonymous', async handler(_, context) {
          context.log('count', 1);
          await new Promise((resolve) => setTimeout(resolve, 1));
          context.error('trouble %d', 2);
          return { body: context.invocationId };
        } });`,
    });
    const invocationId = await (await fetch(`${host.url}/api/talk`)).text();
    const at = expect.any(Number);
    const user = { category: 'Function.talk.User', functionName: 'talk', at };
    const ofHost = { level: 'information', category: 'Function.talk', functionName: 'talk', invocationId, at };
    // The texts of WebJobs SDK 3 (FunctionInstanceLogger).
    const reason = 'This function was programmatically called via the host APIs.';
    const ended = new RegExp(`^Executed 'Functions.talk' \\(Succeeded, Id=${invocationId}, Duration=\\d+ms\\)$`);
    expect(records.filter(({ category }) => category.startsWith('Function.'))).toEqual([
      { ...ofHost, message: `Executing 'Functions.talk' (Reason='${reason}', Id=${invocationId})` },
      { ...user, level: 'information', message: 'count 1' },
      { ...user, level: 'error', message: 'trouble 2' },
      { ...ofHost, message: expect.stringMatching(ended) },
    ]);
  });

  test('the host logs a failed invocation as an error with its id, the error and its stack', async () => {
    const { host, records } = await startApp({
      source: `app.http('breaks', { authLevel: 'anonymous', handler() { throw new Error('detail'); } });`,
    });
    await fetch(`${host.url}/api/breaks`);
    const failure = records.filter(({ level }) => level === 'error');
    expect(failure).toMatchObject([{ category: 'Function.breaks', functionName: 'breaks' }]);
    const [{ message, invocationId } = { message: '', invocationId: '' }] = failure;
    expect(message).toMatch(new RegExp(`^Executed 'Functions.breaks' \\(Failed, Id=${invocationId}, Duration=`));
    expect(message).toMatch(/\nError: detail\n +at /);
  });

  test('a line on the console of the app is a record without a function, whose level the host reads from its words', async () => {
    const { host, records } = await startApp({
      source: `console.warn('loading: a warning');
        app.http('talk', { authLevel: 'anonymous', handler() {
          console.log('an error on standard output');
          console.error('it failed\\nand says more');
        } });`,
    });
    await fetch(`${host.url}/api/talk`);
    const of = (level: string, message: string) => ({
      level,
      category: 'Host.Function.Console',
      message,
      at: expect.any(Number),
    });
    expect(records.filter(({ category }) => category === 'Host.Function.Console')).toEqual([
      of('warning', 'loading: a warning'),
      of('information', 'an error on standard output'),
      of('error', 'it failed'),
      of('information', 'and says more'),
    ]);
    const before = records.length;
    const { info } = console;
    info('a test speaks');
    expect(records).toHaveLength(before);
  });

  test('records pass through the log hooks', async () => {
    const { host, records } = await startApp({
      source: `app.hook.log((context) => { context.message = context.message.replace(/\\d/g, '#'); context.level = 'debug'; });
        app.http('talk', { authLevel: 'anonymous', handler(_, context) { context.log('code 123'); } });`,
    });
    await fetch(`${host.url}/api/talk`);
    expect(records).toContainEqual(expect.objectContaining({ message: 'code ###', level: 'debug' }));
  });

  test('a log sink that throws does not fail the call', async () => {
    const source = `app.http('talk', { authLevel: 'anonymous', handler(_, context) { context.log('x'); return { body: 'ok' }; } });`;
    const onLog = () => {
      throw new Error('full');
    };
    const { host } = await startApp({ source, onLog });
    expect(await (await fetch(`${host.url}/api/talk`)).text()).toBe('ok');
  });
});
