/** The platform ends a process while calls run: Microsoft's worker then waits for the appTerminate hooks only. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';
import { afterAll, expect, test } from 'vitest';
import { until } from '../../src/local/client.ts';
import type { CloudEvent } from '../../src/local/topic/topic.ts';
import { arrived } from '../announcements/support.ts';
import { got, refused, requestsTo, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const published: CloudEvent[] = [];

/** The parts of opentelemetry/proto/metrics/v1/metrics.proto (opentelemetry-proto 1.3) that the test reads. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message AnyValue { string string_value = 1; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message NumberDataPoint { double as_double = 4; sfixed64 as_int = 6; repeated KeyValue attributes = 7; }
  message Points { repeated NumberDataPoint data_points = 1; }
  message Metric { string name = 1; Points gauge = 5; Points sum = 7; }
  message ScopeMetrics { repeated Metric metrics = 2; }
  message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
  message Export { repeated ResourceMetrics resource_metrics = 1; }
`);
interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}
interface Exported {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly sum?: {
          readonly dataPoints: readonly { readonly asDouble: number; readonly attributes: Attribute[] }[];
        };
      }[];
    }[];
  }[];
}

const exported: Exported[] = [];
const collector = createServer(async (request, response) => {
  const message = root.lookupType('Export').decode(await buffer(request));
  exported.push(message.toJSON() as Exported);
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
});
collector.listen(0, '127.0.0.1');
await once(collector, 'listening');
afterAll(() => collector.close());
const { port } = collector.address() as AddressInfo;

const world = useStack({
  onPublished: (event) => published.push(event),
  settings: {
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `http://127.0.0.1:${port}/v1/metrics`,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  },
});

const textOf = (attributes: readonly Attribute[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));

test('a process that the platform ends answers its three calls in flight, publishes their audit entries and sends its metrics', async () => {
  const { stack, api } = world;
  const vault = 'ending-vault';
  const key = await vaultWithKey(world, vault);
  const slow = { vault, operation: 'unwrapkey', action: 'delay', delayMs: 700 };
  await stack.keyVault('POST', '/faults', slow);

  const names = ['ending1', 'ending2', 'ending3'];
  const calls = Promise.all(
    names.map((name) => got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey('contoso', key)))),
  );
  const vaultAnswers = () => requestsTo(world, vault, 'get');
  await until('the vault has answered the three calls', vaultAnswers, (seen) => seen.length >= names.length);
  await refused(404, 'AccountNotFound', api('GET', '/api/accounts/absent'));
  await refused(404, 'AccountNotFound', api('GET', '/api/accounts/absent'));
  await stack.host.stop({ forced: true });

  await calls;
  const created = arrived(published).filter(({ type }) => type === 'Keyward.AccountCreated');
  expect(created.map(({ subject }) => subject).toSorted()).toEqual(names.map((name) => `/accounts/${name}`));

  const [last] = exported.flatMap(({ resourceMetrics }) => resourceMetrics).slice(-1);
  expect(textOf(last?.resource.attributes ?? [])).toMatchObject({
    'service.name': 'keyward',
    'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    'deployment.environment.name': 'test',
  });
  const refusals = last?.scopeMetrics.flatMap(({ metrics }) => metrics).find(({ name }) => name === 'keyward.refusals');
  const points = refusals?.sum?.dataPoints.map(({ asDouble, attributes }) => ({ asDouble, ...textOf(attributes) }));
  expect(points).toEqual([{ asDouble: 2, code: 'AccountNotFound' }]);
});
