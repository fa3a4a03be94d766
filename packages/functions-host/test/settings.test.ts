import { describe, expect, test } from 'vitest';
import { parseHostJson, parseTimeSpan } from '../src/hostJson.ts';
import { applyEnvironment, readLocalSettings, resolveSettings } from '../src/settings.ts';
import { appFolder, startApp } from './app.ts';

describe('host.json', () => {
  test('host.json has the documented defaults', () => {
    expect(parseHostJson('{"version":"2.0"}', 'host.json')).toEqual({
      http: { routePrefix: 'api', maxOutstandingRequests: -1, maxConcurrentRequests: -1 },
      queues: {
        batchSize: 16,
        newBatchThreshold: 8,
        maxDequeueCount: 5,
        visibilityTimeoutMs: 0,
        maxPollingIntervalMs: 60_000,
        messageEncoding: 'base64',
      },
      eventHubs: { maxEventBatchSize: 100 },
      functionTimeoutMs: 1_800_000,
    });
    expect(parseHostJson('{"version":"2.0","functionTimeout":"-1"}', 'host.json').functionTimeoutMs).toBeUndefined();
  });

  test.each([
    ['{', 'host.json is not JSON'],
    ['[]', 'host.json must hold an object'],
    ['{"version":"3.0"}', 'host.json: version must be "2.0", not "3.0"'],
    ['{}', 'host.json: version must be "2.0", not undefined'],
    ['{"version":"2.0","functionTimeout":"9"}', 'functionTimeout must be a time such as "00:00:10", not "9"'],
    ['{"version":"2.0","extensions":1}', 'host.json: extensions must be an object, not 1'],
    [
      '{"version":"2.0","extensions":{"queues":{"batchSize":33}}}',
      'host.json: extensions.queues.batchSize must be a whole number from 1 to 32, not 33',
    ],
    [
      '{"version":"2.0","extensions":{"queues":{"visibilityTimeout":"10s"}}}',
      'host.json: extensions.queues.visibilityTimeout must be a time such as "00:00:10", not "10s"',
    ],
    [
      '{"version":"2.0","extensions":{"queues":{"messageEncoding":"utf8"}}}',
      'host.json: extensions.queues.messageEncoding must be "base64" or "none", not "utf8"',
    ],
  ])('the host.json %s is refused in one line', (text, problem) => {
    expect(() => parseHostJson(text, 'host.json')).toThrow(problem);
  });

  test.each([
    ['00:00:02', 2000],
    ['01:02:03.5', 3_723_500],
    ['1.00:00:00', 86_400_000],
    ['24:00:00', undefined],
    ['5', undefined],
  ])('the TimeSpan %s is %s ms', (text, ms) => {
    expect(parseTimeSpan(text)).toBe(ms);
  });

  test('an app without host.json is refused with the file name', async () => {
    const appDir = appFolder({ files: { 'host.json': '{"version":"1.0"}' } });
    await expect(startApp({ appDir })).rejects.toThrow(`${appDir}/host.json: version must be "2.0", not "1.0"`);
  });
});

describe('settings', () => {
  test.each([
    ['plain', { kind: 'Text', text: 'plain' }],
    ['%QUEUE%', { kind: 'Text', text: 'work' }],
    ['a-%queue%-%QUEUE%', { kind: 'Text', text: 'a-work-work' }],
    ['%NOT_THERE_AT_ALL%', { kind: 'Missing', setting: 'NOT_THERE_AT_ALL' }],
    ['50%', { kind: 'Unclosed' }],
  ])('the settings in %s are resolved to %o', (text, expected) => {
    expect(resolveSettings(text, { QUEUE: 'work' })).toEqual(expected);
  });

  test('settings of local.settings.json and of the options are the environment while the host runs, and options take precedence', async () => {
    process.env.HOST_TEST_KEPT = 'before';
    const values = { HOST_TEST_FILE: 'file', HOST_TEST_BOTH: 'file', HOST_TEST_KEPT: 'during' };
    const { host, probe } = await startApp({
      source: `probe.seen.push(process.env.HOST_TEST_FILE, process.env.HOST_TEST_BOTH, process.env.HOST_TEST_KEPT);
        app.http('a', { handler() {} });`,
      files: { 'local.settings.json': JSON.stringify({ Values: values }) },
      settings: { HOST_TEST_BOTH: 'given' },
    });
    expect(probe.seen).toEqual(['file', 'given', 'during']);
    await host.stop();
    expect([process.env.HOST_TEST_FILE, process.env.HOST_TEST_KEPT]).toEqual([undefined, 'before']);
    delete process.env.HOST_TEST_KEPT;
  });

  test('an invalid local.settings.json is refused with the name of the field', () => {
    const wrong = (content: unknown) => appFolder({ files: { 'local.settings.json': JSON.stringify(content) } });
    expect(() => readLocalSettings(wrong({ Values: { A: 1 } }))).toThrow('Values.A must be text');
    expect(() => readLocalSettings(wrong({ IsEncrypted: true }))).toThrow('IsEncrypted is true');
  });

  test('two hosts in one process can have the same settings but no different values', () => {
    const first = applyEnvironment({ HOST_TEST_A: '1' });
    const second = applyEnvironment({ HOST_TEST_A: '1' });
    expect(() => applyEnvironment({ HOST_TEST_A: '2' })).toThrow('another value of the setting HOST_TEST_A');
    first.restore();
    first.restore();
    expect(process.env.HOST_TEST_A).toBe('1');
    second.restore();
    expect(process.env.HOST_TEST_A).toBeUndefined();
  });

  test('a missing setting in a binding puts its function in error, with property and setting in the message', async () => {
    const source = `app.timer('sweep', { schedule: '%HOST_TEST_NONE%', handler() {} });
      app.storageQueue('work', { queueName: 'q-%HOST_TEST_OTHER%', connection: 'C', handler() {} });`;
    const { errors } = await startApp({ source });
    expect(errors()).toEqual([
      "The 'sweep' function is in error: schedule names the setting HOST_TEST_NONE, which is not set",
      "The 'work' function is in error: queueName names the setting HOST_TEST_OTHER, which is not set",
    ]);
  });

  test('the setting AzureWebJobs.NAME.Disabled disables a function', async () => {
    const { host } = await startApp({
      source: `app.http('on', { handler() {} }); app.http('off', { handler() {} });`,
      settings: { 'AzureWebJobs.off.Disabled': 'true' },
    });
    expect(host.functions.map((one) => one.name)).toEqual(['on']);
    expect((await fetch(`${host.url}/api/off`)).status).toBe(404);
  });
});
