/** A button that saves an answer of the API as a JSON file. */
import { Button } from '@fluentui/react-components';
import { useMutation } from '@tanstack/react-query';
import { Failure } from './states.tsx';

interface Props {
  readonly label: string;
  readonly fileName: string;
  readonly read: () => Promise<unknown>;
}

export function Download({ label, fileName, read }: Props) {
  const saving = useMutation({ mutationFn: async () => save(fileName, await read()) });
  return (
    <>
      <Button disabled={saving.isPending} onClick={() => saving.mutate()}>
        {label}
      </Button>
      {saving.error === null ? null : <Failure error={saving.error} />}
    </>
  );
}

function save(fileName: string, value: unknown): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }));
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(link.href);
}
