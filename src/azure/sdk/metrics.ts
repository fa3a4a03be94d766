/** The SDK of OpenTelemetry metrics. Its parts that Keyward uses are a file of the built app (build.ts). */
export { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
export { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
export { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
