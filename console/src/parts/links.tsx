/** Links to the views of one key and of one customer. */
import { Link } from '../navigation.tsx';

export const keyPath = (key: string) => `/keys/one?key=${encodeURIComponent(key)}`;

/** A key by its address without the scheme. */
export function KeyLink({ of }: { of: string }) {
  return <Link to={keyPath(of)}>{of.replace('https://', '')}</Link>;
}

/** The accounts whose key is wrapped by a key, or by one of its versions. */
export const accountsPath = (key: string) => `/accounts?key=${encodeURIComponent(key)}`;

export function OwnerLink({ of }: { of: string }) {
  return <Link to={`/owners/${encodeURIComponent(of)}`}>{of}</Link>;
}
