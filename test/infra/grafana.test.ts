/** The Grafana dashboard beside the metrics that the app exports: its queries are parsed as PromQL. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { instrumentOf } from '../../src/azure/otlpMetrics.ts';
import { metricLabels } from './metricLabels.ts';

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const path = fileURLToPath(new URL('../../infra/grafana/keyward.json', import.meta.url));
const { panels }: { readonly panels: readonly Panel[] } = JSON.parse(readFileSync(path, 'utf8'));
const targets = panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

/**
 * The name that Prometheus gives to a metric of OTLP: other characters than letters and digits become `_`, the unit
 * and, for a counter, `total` follow (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility").
 */
function prometheusName(metric: string): string {
  const name = metric.replaceAll('.', '_');
  const isGauge = new Map<string, string>(Object.entries(instrumentOf)).get(metric) === 'gauge';
  if (metric.endsWith('.ms')) return `${name}_milliseconds${isGauge ? '' : '_bucket'}`;
  return isGauge ? name : `${name}_total`;
}
const known = new Map([...metricLabels].map(([metric, labels]) => [prometheusName(metric), labels]));
/** From the resource, and the limit of a bucket. */
const ofEverySeries = ['service_name', 'service_instance_id', 'le'];

/** Of a query: names of metrics and of labels, and the text of what is not PromQL. */
function partsOf(expression: string) {
  const query = expression.replaceAll('$__rate_interval', '5m');
  const parts = { metrics: [] as string[], labels: [] as string[], errors: [] as string[] };
  parser.parse(query).iterate({
    enter({ type, from, to, node }) {
      const text = query.slice(from, to);
      if (type.isError) parts.errors.push(query.slice(Math.max(0, from - 20)));
      else if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') parts.metrics.push(text);
      else if (type.name === 'LabelName') parts.labels.push(text);
    },
  });
  return parts;
}

describe('the Grafana dashboard', () => {
  it('the Grafana dashboard has PromQL queries only, and the parser of the test finds a missing bracket', () => {
    expect(partsOf('sum by (a) (rate(keyward_looks_total[5m])').errors).not.toEqual([]);
  });

  it.each(targets)(
    'the Grafana dashboard reads under "$title" only metrics that the app exports, and their labels: $legendFormat',
    (one) => {
      const { metrics, labels, errors } = partsOf(one.expr);
      expect(errors).toEqual([]);
      expect(metrics).toHaveLength(1);
      const ofMetric = known.get(metrics[0] ?? '');
      expect(ofMetric, metrics[0]).toBeDefined();
      const inLegend = [...one.legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      const strange = [...labels, ...inLegend].filter(
        (label) => ![...(ofMetric ?? []), ...ofEverySeries].includes(label),
      );
      expect(strange).toEqual([]);
      expect(inLegend.filter((label) => !labels.includes(label))).toEqual([]);
    },
  );

  it('the Grafana dashboard shows every metric', () => {
    const shown = targets.flatMap(({ expr }) => partsOf(expr).metrics);
    expect([...known.keys()].filter((name) => !shown.includes(name))).toEqual([]);
  });
});
