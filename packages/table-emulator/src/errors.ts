/** Refusals of the Table service: status, code and message as in Microsoft's "Table Storage error codes". */
export class TableError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const refusals = {
  TableNotFound: [404, 'The table specified does not exist.'],
  TableAlreadyExists: [409, 'The table specified already exists.'],
  ResourceNotFound: [404, 'The specified resource does not exist.'],
  EntityAlreadyExists: [409, 'The specified entity already exists.'],
  UpdateConditionNotSatisfied: [412, 'The update condition specified in the request was not satisfied.'],
  InvalidResourceName: [400, 'The specified resource name contains invalid characters.'],
  InvalidInput: [400, 'One of the request inputs is not valid.'],
  OutOfRangeInput: [400, 'One of the request inputs is out of range.'],
  PropertiesNeedValue: [400, 'The values are not specified for all properties in the entity.'],
  PropertyValueTooLarge: [400, 'The property value exceeds the maximum allowed size (64KB).'],
  KeyValueTooLarge: [400, 'The value specified for the PartitionKey or RowKey is too large (1 KiB).'],
  EntityTooLarge: [400, 'The entity is larger than the maximum allowed size (1MB).'],
  TooManyProperties: [400, 'The entity contains more properties than allowed (252).'],
  InvalidDuplicateRow: [400, 'A command with this RowKey is already present in the batch.'],
  CommandsInBatchActOnDifferentPartitions: [400, 'All commands in a batch must operate on same entity group.'],
  RequestBodyTooLarge: [413, 'The request body is too large and exceeds the maximum permissible limit.'],
  MissingRequiredHeader: [400, 'A required HTTP header was not specified.'],
  NotImplemented: [501, 'The requested operation is not emulated.'],
} as const satisfies Record<string, readonly [number, string]>;

export function refusal(code: keyof typeof refusals, message?: string): TableError {
  const [status, text] = refusals[code];
  return new TableError(status, code, message ?? text);
}

export const errorBody = ({ code }: TableError, message: string): string =>
  JSON.stringify({ 'odata.error': { code, message: { lang: 'en-US', value: message } } });
