/** JSON schemas of the document: those that parse bodies and those that tests compare answers with. */
import * as z from 'zod';

export type Json = Record<string, unknown>;

export type SchemaOf = (schema: z.ZodType, io: 'input' | 'output') => Json;

/** A schema with an id goes into the components, once. */
export function collectSchemas(): { schemaOf: SchemaOf; components: Json } {
  const components: Json = {};
  const schemaOf: SchemaOf = (schema, io) => {
    const { $schema, $defs = {}, ...json } = z.toJSONSchema(schema, { io, override: completing(io) });
    Object.assign(components, $defs);
    return json;
  };
  return { schemaOf, components };
}

/** A table property has at most 32 Ki characters, and no text of the API is longer. */
const longestText = 32_768;
const limits = ['maxLength', 'pattern', 'format', 'enum', 'const'] as const;

/** Completes schemas that zod cannot express in JSON Schema. */
const completing =
  (io: 'input' | 'output') =>
  ({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }): void => {
    // For a schema with a transform, zod cannot know whether an example is input or output. The examples are input, as
    // a caller writes them.
    const { examples } = z.globalRegistry.get(zodSchema) ?? {};
    if (Array.isArray(examples)) jsonSchema.examples = examples;
    if (jsonSchema.type === 'string' && !limits.some((limit) => limit in jsonSchema))
      jsonSchema.maxLength = longestText;
    // `z.unknown().refine(...).pipe(schema)`: JSON Schema cannot express the check before the schema.
    const { def } = zodSchema._zod;
    // `anyCase`: a transform before the schema that lists the values.
    if (def.type !== 'pipe' || !['unknown', 'transform'].includes((def.in as z.core.$ZodTypes)._zod.def.type)) return;
    const { $schema, ...checked } = z.toJSONSchema(def.out, { io });
    Object.assign(jsonSchema, checked);
  };
