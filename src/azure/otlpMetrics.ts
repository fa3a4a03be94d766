/**
 * The metrics of metrics.ts as OpenTelemetry instruments, pushed over OTLP (protobuf over HTTP) once a minute. The
 * exporter reads its standard settings, such as `OTEL_EXPORTER_OTLP_METRICS_HEADERS` and `OTEL_RESOURCE_ATTRIBUTES`
 * (OpenTelemetry specification, "OpenTelemetry Protocol Exporter"). Only a process with that endpoint loads this file.
 */
import { randomUUID } from 'node:crypto';
import { describeError } from '../core/base/errors.ts';
import type { LogFields } from '../core/base/log.ts';
import type { Metrics } from '../core/base/metrics.ts';
import {
  detectResources,
  envDetector,
  MeterProvider,
  OTLPMetricExporter,
  PeriodicExportingMetricReader,
  resourceFromAttributes,
} from './sdk/metrics.ts';

export interface MetricExport {
  /** Records the fields of a metric's log line; ignores other lines. */
  record(fields: LogFields): void;
  /** Sends what was recorded since the last push. */
  flush(): Promise<void>;
  /** Why the collector did not take the last push; at most once for each push. */
  takeFailure(): string | undefined;
}

/** Counters add up, histograms keep the distribution, gauges keep the last value. */
export const instrumentOf = {
  'keyward.looks': 'counter',
  'keyward.looks.ms': 'histogram',
  'keyward.newest.reads': 'counter',
  'keyward.transitions': 'counter',
  'keyward.rewraps': 'counter',
  'keyward.leases': 'gauge',
  'keyward.reveals': 'counter',
  'keyward.dataKeys': 'counter',
  'keyward.refusals': 'counter',
  'keyward.announcements': 'counter',
  'keyward.announcements.oldest.ms': 'gauge',
  'keyward.chains': 'counter',
  'keyward.damagedRows': 'counter',
  'keyward.drill.refused.ms': 'gauge',
  'keyward.drill.restored.ms': 'gauge',
  'keyward.sweeps.ms': 'histogram',
  'keyward.ranges.ms': 'histogram',
  'keyward.looks.oldest.ms': 'gauge',
} as const satisfies Record<keyof Metrics, 'counter' | 'histogram' | 'gauge'>;

/** From the fastest answer of a vault to a sweep that is minutes late. */
const boundariesMs = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000];

class RememberingExporter extends OTLPMetricExporter {
  failure: string | undefined;

  override export(...[metrics, done]: Parameters<OTLPMetricExporter['export']>): void {
    super.export(metrics, (result) => {
      this.failure = result.error === undefined ? undefined : describeError(result.error);
      done(result);
    });
  }
}

/** @param everyMs time between pushes; `OTEL_METRIC_EXPORT_INTERVAL` has the same default. */
export function openMetricExport(appName: string | undefined, everyMs = 60_000): MetricExport {
  const ours = resourceFromAttributes({
    'service.name': appName ?? 'keyward',
    // Two processes of one app must not write one series.
    'service.instance.id': randomUUID(),
  });
  const resource = ours.merge(detectResources({ detectors: [envDetector] }));
  const exporter = new RememberingExporter();
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: everyMs,
    exportTimeoutMillis: Math.min(everyMs, 10_000),
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  const meter = provider.getMeter('keyward');
  const create = (name: keyof Metrics): ((value: number, labels: Record<string, string>) => void) => {
    const unit = name.endsWith('.ms') ? { unit: 'ms' } : {};
    const kind = instrumentOf[name];
    if (kind === 'histogram') {
      const histogram = meter.createHistogram(name, { ...unit, advice: { explicitBucketBoundaries: boundariesMs } });
      return (value, labels) => histogram.record(value, labels);
    }
    if (kind === 'gauge') {
      const gauge = meter.createGauge(name, unit);
      return (value, labels) => gauge.record(value, labels);
    }
    const counter = meter.createCounter(name, unit);
    return (value, labels) => counter.add(value, labels);
  };
  const names = Object.keys(instrumentOf) as (keyof Metrics)[];
  const instruments = new Map<string, ReturnType<typeof create>>(names.map((name) => [name, create(name)]));
  return {
    record({ metric, value, ...labels }) {
      if (metric === undefined || value === undefined) return;
      instruments.get(metric)?.(value, labels as Record<string, string>);
    },
    flush: () => provider.forceFlush(),
    takeFailure() {
      const { failure } = exporter;
      exporter.failure = undefined;
      return failure;
    },
  };
}
