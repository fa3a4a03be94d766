/** A command or an id, with a button that copies it. */
import { Button } from '@fluentui/react-components';
import { useState } from 'react';

export function Copyable({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <div className="copyable">
      <code>{text}</code>
      <Button size="small" onClick={() => void copy()} onBlur={() => setCopied(false)}>
        {isCopied ? 'Copied' : label}
      </Button>
    </div>
  );
}

/** A remedy of the API: a sentence, and after its colon often a command (docs/runbook.md). */
export function Remedy({ text }: { text: string | undefined }) {
  if (text === undefined) return null;
  const at = text.search(/\b(?:az|nslookup|infra\/entra\.sh) /);
  if (at < 0) return <p className="remedy">{text}</p>;
  return (
    <div className="remedy">
      <p>{text.slice(0, at)}</p>
      <Copyable text={text.slice(at)} label="Copy command" />
    </div>
  );
}
