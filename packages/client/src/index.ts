export { KeywardClient, type KeywardClientOptions, type UseOptions } from './client.ts';
export type { Attested, CallOptions, DataKeyApi, Item, PlainDataKey, WrappedDataKey } from './dataKeyApi.ts';
export type { EncryptionContext } from './encryptionContext.ts';
export {
  DataKeyError,
  KeyStatusError,
  KeywardError,
  KeywardRefusal,
  KeywardUnavailable,
  MessageError,
  type MessageErrorCode,
} from './errors.ts';
export type { components, paths } from './generated/openapi.d.ts';
export type { KeyStatus } from './keyStatus.ts';
export type { Clock } from './tenure.ts';
