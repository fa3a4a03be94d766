/** The versions of a customer key: which are in use, and which the customer may disable. */
import type { Schemas } from '../api.ts';
import { Copyable } from './copyable.tsx';

export function Versions({ of: { key, versions } }: { of: Pick<Schemas['OverviewKey'], 'key' | 'versions'> }) {
  return (
    <ul className="plain versions">
      {versions.map(({ version, isLatest, inUse, safeToDisable }) => (
        <li key={version}>
          <Copyable text={`${key}/${version}`} label="Copy the version" />
          {isLatest === true ? 'The latest version. ' : ''}
          {inUse ? 'In use. ' : 'Not in use. '}
          {safeToDisable ? <strong>Safe to disable.</strong> : 'Not safe to disable.'}
        </li>
      ))}
    </ul>
  );
}
