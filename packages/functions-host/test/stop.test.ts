import { Agent, get } from 'node:http';
import { Module } from 'node:module';
import { describe, expect, onTestFinished, test } from 'vitest';
import { spawnGroups, spawnHost } from '../src/child.ts';
import { appFolder, eventually, gate, startApp } from './app.ts';

/** The parts of the process that a running host changes. */
const surroundings = () => [Module.prototype.require, Reflect.get(console, 'log'), process.env.HOST_TEST_GONE];
// Read before the first host of this file.
const before = surroundings();

describe('stop', () => {
  test('a stop finishes current requests and refuses new ones', async () => {
    const { opened, open } = gate();
    const { host, probe } = await startApp({
      source: `app.http('slow', { authLevel: 'anonymous', async handler() { probe.seen.push('in'); await probe.opened; return { body: 'done' }; } });`,
      probe: { opened },
    });
    const answer = fetch(`${host.url}/api/slow`);
    await eventually(() => probe.seen).toEqual(['in']);
    const stopped = host.stop();
    await expect(fetch(`${host.url}/api/slow`)).rejects.toThrow();
    open();
    expect(await (await answer).text()).toBe('done');
    await stopped;
  });

  test('a stop waits for a bounded time and logs the unfinished invocations', async () => {
    const { opened, open } = gate();
    const { host, probe, logged } = await startApp({
      source: `app.http('stuck', { authLevel: 'anonymous', async handler() { probe.seen.push('in'); await probe.opened; } });`,
      probe: { opened },
      drainMs: 50,
    });
    const answer = fetch(`${host.url}/api/stuck`).catch(() => 'cut');
    await eventually(() => probe.seen).toEqual(['in']);
    await host.stop();
    expect(logged('warning')).toEqual(['stopped with 1 invocations in flight after 50 ms']);
    expect(await answer).toBe('cut');
    open();
  });

  test('a stop runs the appTerminate hooks once after the work, also when a hook throws', async () => {
    const { host, probe, logged } = await startApp({
      source: `app.hook.appTerminate(() => { probe.seen.push('end'); throw new Error('too tired'); });
        app.timer('last', { schedule: '0 0 0 1 1 *', async handler() { await new Promise((resolve) => setTimeout(resolve, 50)); probe.seen.push('work'); } });`,
    });
    const work = host.invokeTimer('last');
    await Promise.all([host.stop(), host.stop(), work]);
    await host.stop();
    expect(probe.seen).toEqual(['work', 'end']);
    await expect(host.invokeTimer('last')).rejects.toThrow('The host has stopped.');
    expect(logged('error')).toEqual([expect.stringContaining('too tired')]);
  });

  test('a stopped host leaves no timer, connection, patched module, console or environment behind', async () => {
    const { host, probe } = await startApp({
      source: `app.timer('tick', { schedule: '* * * * * *', handler() { probe.seen.push(1); } });
        app.http('a', { authLevel: 'anonymous', handler() {} });`,
      settings: { HOST_TEST_GONE: '1' },
    });
    expect(surroundings()).not.toEqual(before);
    const agent = new Agent({ keepAlive: true });
    const socket = await new Promise<{ destroyed: boolean }>((resolve) => {
      get(`${host.url}/api/a`, { agent }, (response) => {
        const { socket } = response;
        response.resume().once('end', () => resolve(socket));
      });
    });
    await host.stop();
    const ticks = probe.seen.length;
    await eventually(() => socket.destroyed).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(probe.seen).toHaveLength(ticks);
    expect(surroundings()).toEqual(before);
    agent.destroy();
  });

  test('a failed start leaves nothing behind without a stop', async () => {
    await expect(startApp({ source: "throw new Error('x');", settings: { HOST_TEST_GONE: '1' } })).rejects.toThrow('x');
    expect(surroundings()).toEqual(before);
  });
});

const quiet = () => undefined;

test('a forced stop runs the appTerminate hooks at once, and a request is answered while they run', async () => {
  const { opened, open } = gate();
  const { host, probe } = await startApp({
    source: `app.hook.appTerminate(async () => { probe.seen.push('hook'); await new Promise((resolve) => setTimeout(resolve, 200)); });
      app.http('slow', { authLevel: 'anonymous', async handler() { probe.seen.push('in'); await probe.opened; return { body: 'done' }; } });`,
    probe: { opened },
  });
  const answer = fetch(`${host.url}/api/slow`).then((response) => response.text());
  await eventually(() => probe.seen).toEqual(['in']);
  const stopped = host.stop({ forced: true });
  await eventually(() => probe.seen).toEqual(['in', 'hook']);
  open();
  expect(await answer).toBe('done');
  await stopped;
});

test('a forced stop cuts off a request that no hook waits for', async () => {
  const { opened, open } = gate();
  const { host, probe } = await startApp({
    source: `app.http('slow', { authLevel: 'anonymous', async handler() { probe.seen.push('in'); await probe.opened; return { body: 'done' }; } });`,
    probe: { opened },
  });
  const answer = fetch(`${host.url}/api/slow`);
  await eventually(() => probe.seen).toEqual(['in']);
  await host.stop({ forced: true });
  await expect(answer).rejects.toThrow();
  open();
});

test('spawnGroups runs HTTP and Event Grid in one process and each other function in its own', {
  timeout: 60_000,
}, async () => {
  const source = `import { app } from '@azure/functions';
    let calls = 0;
    app.http('count', { authLevel: 'anonymous', handler: () => ({ body: String(++calls) + ' ' + process.pid }) });
    app.eventGrid('onEvent', { handler() { calls++; } });
    app.timer('tick', { schedule: '0 0 0 1 1 *', handler() { calls++; console.warn('a warning of tick', process.pid); } });`;
  const lines: string[] = [];
  const host = await spawnGroups({ appDir: appFolder({ source }), settings: {} }, (text) => lines.push(text));
  onTestFinished(() => host.kill());
  expect([...host.groups.keys()]).toEqual(['http', 'function:tick']);

  const tick = host.groups.get('function:tick');
  const run = { method: 'POST', headers: { 'x-functions-key': host.keys.master }, body: '{}' };
  expect((await fetch(`${tick?.url}/admin/functions/tick`, run)).status).toBe(202);
  await eventually(() => lines.join('')).toContain(`of tick ${tick?.process.pid}`);
  expect((await fetch(`${tick?.url}/api/count`)).status).toBe(404);
  const count = async () => (await fetch(`${host.url}/api/count`)).text();
  expect(await count()).toBe(`1 ${host.groups.get('http')?.process.pid}`);

  await host.replace('http');
  expect(await count()).toBe(`1 ${host.groups.get('http')?.process.pid}`);
});

describe('a host in a process of its own', () => {
  const source = `import { app } from '@azure/functions';
    app.http('where', { authLevel: 'function', handler: () => ({ jsonBody: [process.pid, process.env.HOST_TEST_CHILD, process.env.HOST_OPTIONS ?? null] }) });
    app.http('die', { authLevel: 'anonymous', handler() { setImmediate(() => { throw new Error('floating'); }); } });`;

  test('a child host prints its address and keys, has its own settings, and ends when its standard input closes', async () => {
    const child = await spawnHost({ appDir: appFolder({ source }), settings: { HOST_TEST_CHILD: 'mine' } });
    const response = await fetch(`${child.url}/api/where?code=${child.keys.function}`);
    expect(await response.json()).toEqual([child.process.pid, 'mine', null]);
    expect(process.env.HOST_TEST_CHILD).toBeUndefined();
    await child.stop();
    expect(child.process.exitCode).toBe(0);
  });

  test('a child host stops in order on SIGTERM, and at once when it is killed', async () => {
    const appDir = appFolder({ source });
    const [first, second] = await Promise.all([
      spawnHost({ appDir, settings: {} }),
      spawnHost({ appDir, settings: {} }),
    ]);
    first.process.kill('SIGTERM');
    await first.stop();
    expect(first.process.exitCode).toBe(0);
    await second.kill();
    expect(second.process.signalCode).toBe('SIGKILL');
  });

  test('an uncaught exception ends a child host, as it ends the worker', async () => {
    const child = await spawnHost({ appDir: appFolder({ source }), settings: {} }, quiet);
    await fetch(`${child.url}/api/die`).catch(() => undefined);
    await child.stop();
    expect(child.process.exitCode).toBe(1);
  });

  test('a child host that cannot start reports the reason', async () => {
    const appDir = appFolder({ source: "throw new Error('no such key');" });
    await expect(spawnHost({ appDir, settings: {} }, quiet)).rejects.toThrow('no such key');
  });
});
