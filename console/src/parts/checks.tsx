/** The validation checks of a key, each with its result and, where it did not pass, what to do. */
import type { Schemas } from '../api.ts';
import { Remedy } from './copyable.tsx';
import { Status } from './status.tsx';

export function Checks({ of }: { of: Schemas['EncryptionValidation']['checks'] }) {
  return (
    <ul className="plain checks" aria-live="polite">
      {of.map(({ name, result, message, remedy }) => (
        <li key={name}>
          <Status of={result} /> <strong>{name}</strong> {message}
          {result === 'pass' ? null : <Remedy text={remedy} />}
        </li>
      ))}
    </ul>
  );
}
