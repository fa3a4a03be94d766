/** Parses a query with Microsoft's own parser of the Kusto query language, and resolves its names. */
import { createRequire } from 'node:module';

interface List<Item> {
  readonly Count: number;
  getItem(index: number): Item;
}
interface Parser {
  readonly Language: {
    readonly KustoCode: {
      ParseAndAnalyze(query: string, globals: unknown): { GetDiagnostics(): List<{ readonly Message: string }> };
    };
    readonly GlobalState: { readonly Default: { WithDatabase(database: object): unknown } };
    readonly Symbols: {
      readonly TableSymbol: { readonly $ctor7: new (name: string, schema: string, description: null) => object };
      readonly DatabaseSymbol: { readonly ctor: new (name: string, tables: readonly object[]) => object };
    };
  };
}

// Two scripts, made from C#, that set one global name.
const load = createRequire(import.meta.url);
load('@kusto/language-service-next/bridge.min.js');
load('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
const { Language } = (globalThis as unknown as { readonly Kusto: Parser }).Kusto;

/**
 * The columns that the queries use, as https://learn.microsoft.com/azure/azure-monitor/reference/tables-index has them;
 * those of traces: https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete
 */
const schemas = {
  AppTraces: '(TimeGenerated: datetime, Message: string, SeverityLevel: int, Properties: dynamic)',
  AppRequests: '(TimeGenerated: datetime, Name: string, Url: string, ResultCode: string, DurationMs: real)',
  Usage: '(TimeGenerated: datetime, DataType: string, Quantity: real, IsBillable: bool)',
  AzureDiagnostics:
    '(TimeGenerated: datetime, ResourceProvider: string, OperationName: string, httpStatusCode_d: real)',
  traces: '(timestamp: datetime, message: string, severityLevel: int, customDimensions: dynamic)',
};
const { TableSymbol, DatabaseSymbol } = Language.Symbols;
const tables = Object.entries(schemas).map(([name, schema]) => new TableSymbol.$ctor7(name, schema, null));
const workspace = Language.GlobalState.Default.WithDatabase(new DatabaseSymbol.ctor('workspace', tables));

/** What Azure would refuse; empty: nothing. */
export function errorsOf(query: string): readonly string[] {
  const found = Language.KustoCode.ParseAndAnalyze(query, workspace).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, index) => found.getItem(index).Message);
}
