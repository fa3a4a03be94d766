/** The counts of accounts by one property, each a link to the list of those. */
import { Link } from '../navigation.tsx';
import { Status } from './status.tsx';

export function Counts({ of, to }: { of: Readonly<Record<string, number>>; to: (value: string) => string }) {
  const entries = Object.entries(of).filter(([, count]) => count > 0);
  if (entries.length === 0) return <span className="muted">none</span>;
  return (
    <ul className="plain counts">
      {entries.map(([value, count]) => (
        <li key={value}>
          <Status of={value} /> <Link to={to(value)}>{count.toLocaleString()}</Link>
        </li>
      ))}
    </ul>
  );
}
