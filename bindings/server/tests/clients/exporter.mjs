// Exports spans with OpenTelemetry's exporter for JavaScript: JSON over HTTP, each span twice.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const url = `${process.env.FOREBEAR_URL}/t/${process.env.FOREBEAR_TOKEN}/v1/traces`;
const exporter = new OTLPTraceExporter({ url });
let failed = null;
const twice = {
  export(spans, done) {
    const again = (left) => exporter.export(spans, (result) => {
      if (result.code !== 0) failed = result.error ?? result;
      if (left > 0) again(left - 1); else done(result);
    });
    again(1);
  },
  shutdown: () => exporter.shutdown(),
  forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
};
const provider = new TracerProvider({
  spanProcessors: [new SimpleSpanProcessor({ exporter: twice })],
});
const tracer = provider.getTracer('clients');
const { trace, context } = await import('@opentelemetry/api');
const root = tracer.startSpan('js root', { attributes: { 'session.id': 'js talk' } });
const within = trace.setSpan(context.active(), root);
const child = tracer.startSpan('js child', { attributes: { n: 7, list: ['a', 'b'], f: 1.5 } }, within);
child.end();
root.end();
await provider.forceFlush();
await provider.shutdown();
if (failed) throw failed;
console.log("JavaScript's exporter: 2 spans, sent twice each");
